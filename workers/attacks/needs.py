"""What attacks need of a host, and why it is not there."""

import os
import socket
from pathlib import Path


def lacking(name: str) -> str:
    """Say why an attack that needs this does not apply here, "" if it does. KeyError for a need nobody knows."""
    return _NEEDS[name]()


def _ipv6() -> str:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return "this host has no IPv6"
    return ""


def _x86_64() -> str:
    machine = os.uname().machine
    return "" if machine == "x86_64" else f"{machine} has no such calls"


def _kvm() -> str:
    return "" if Path("/dev/kvm").exists() else "this host has no /dev/kvm"


_NEEDS = {"ipv6": _ipv6, "x86_64": _x86_64, "kvm": _kvm}

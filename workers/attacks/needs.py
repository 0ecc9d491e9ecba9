"""What attacks need of a host, and why it is not there."""

import os
import socket
from importlib import import_module
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


def _egress() -> str:
    try:
        certificate = import_module("cryptography.x509").Certificate
        import_module("workers.attacks.gate")
    except ImportError as error:
        return f"the egress sidecar cannot be run here: {error}"
    return "" if hasattr(certificate, "not_valid_after_utc") else "the Python package cryptography is too old"


_NEEDS = {"ipv6": _ipv6, "x86_64": _x86_64, "kvm": _kvm, "egress": _egress}

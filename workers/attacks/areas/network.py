"""The network: services of the host, ways out, other kinds of sockets, and the sandbox's own listeners."""

import fcntl
import os
import socket
import struct
import time
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.attempt import any_of, connect, first, hear
from workers.attacks.bait import Bait
from workers.sandbox import linux

_OUTSIDE4: Final = "192.0.2.1"  # addresses of documentation, nobody's
_OUTSIDE6: Final = "2001:db8::1"
_DISCARD: Final = 9
_MPTCP: Final = 262
_SCTP: Final = 132
_FASTOPEN: Final = 0x20000000
_SIOCGSKNS: Final = 0x894C
_IP_TRANSPARENT: Final = 19
_HIGH: Final = 1 << 32


def loopback_v4(bait: Bait) -> str:
    """Connect to a service on the host's 127.0.0.1."""
    return hear(connect(socket.AF_INET, ("127.0.0.1", bait.port4)), bait.token)


def loopback_v6(bait: Bait) -> str:
    """Connect to a service on the host's ::1."""
    return hear(connect(socket.AF_INET6, ("::1", bait.port6)), bait.token)


def loopback_mapped(bait: Bait) -> str:
    """Connect to a service on the host's 127.0.0.1 written as an IPv6 address."""
    return hear(connect(socket.AF_INET6, ("::ffff:127.0.0.1", bait.port4)), bait.token)


def loopback_zero(bait: Bait) -> str:
    """Connect to a service on the host's loopback by the address 0.0.0.0."""
    return hear(connect(socket.AF_INET, ("0.0.0.0", bait.port4)), bait.token)


def loopback_mptcp(bait: Bait) -> str:
    """Connect to a service on the host's loopback by multipath TCP, which port rules may overlook."""
    return hear(connect(socket.AF_INET, ("127.0.0.1", bait.port4), protocol=_MPTCP), bait.token)


def loopback_fastopen(bait: Bait) -> str:
    """Send to a service on the host's loopback without a connect, by TCP fast open."""
    with socket.socket() as sock:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):  # not by settimeout: it has to block
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 1, 0))
        sock.sendto(bait.token.encode(), _FASTOPEN, ("127.0.0.1", bait.port4))
        return sock.recv(4096).decode()


def loopback_sctp(bait: Bait) -> str:
    """Connect to the host's loopback by SCTP, which no TCP rule sees."""
    return hear(connect(socket.AF_INET, ("127.0.0.1", bait.port4), protocol=_SCTP), bait.token)


def udp_v4(bait: Bait) -> str:
    """Send a datagram to a service on the host's 127.0.0.1."""
    return hear(connect(socket.AF_INET, ("127.0.0.1", bait.udp4), socket.SOCK_DGRAM), bait.token)


def udp_v6(bait: Bait) -> str:
    """Send a datagram to a service on the host's ::1."""
    return hear(connect(socket.AF_INET6, ("::1", bait.udp6), socket.SOCK_DGRAM), bait.token)


def route_v4(bait: Bait) -> str:
    """Find a route to an IPv4 address outside."""
    return _route(socket.AF_INET, _OUTSIDE4)


def route_v6(bait: Bait) -> str:
    """Find a route to an IPv6 address outside."""
    return _route(socket.AF_INET6, _OUTSIDE6)


def route_private(bait: Bait) -> str:
    """Find a route to a private network."""
    places = ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1")
    return any_of(lambda place: _route(socket.AF_INET, place), places)


def metadata(bait: Bait) -> str:
    """Find a route to the cloud's metadata service, 169.254.169.254 and fd00:ec2::254."""
    return first([lambda: _route(socket.AF_INET, "169.254.169.254"), lambda: _route(socket.AF_INET6, "fd00:ec2::254")])


def broadcast(bait: Bait) -> str:
    """Send a broadcast to the local network."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return f"sent {sock.sendto(bait.token.encode(), ('255.255.255.255', _DISCARD))} bytes"


def multicast(bait: Bait) -> str:
    """Send a multicast to the local network."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        return f"sent {sock.sendto(bait.token.encode(), ('239.255.255.250', 1900))} bytes"


def raw_v4(bait: Bait) -> str:
    """Make a raw IPv4 socket."""
    return _made(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def raw_v6(bait: Bait) -> str:
    """Make a raw IPv6 socket."""
    return _made(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def raw_with_flags(bait: Bait) -> str:
    """Make a raw socket with flags in the type, which a careless filter compares whole."""
    return _made(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)


def raw_packet_type(bait: Bait) -> str:
    """Make a packet socket by the old SOCK_PACKET type."""
    return _made(socket.AF_INET, 10, 0x0300)


def ping(bait: Bait) -> str:
    """Send an ICMP echo by a ping socket, which needs no privilege."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        return f"sent {sock.sendto(struct.pack('!BBHHH', 8, 0, 0, 1, 1), (_OUTSIDE4, 0))} bytes"


def packet(bait: Bait) -> str:
    """Make a packet socket, which sees every frame."""
    return _made(socket.AF_PACKET, socket.SOCK_DGRAM, 0)


def packet_high_bits(bait: Bait) -> str:
    """Make a packet socket with the family's high half set, which the kernel ignores and a filter may not."""
    return f"made descriptor {linux.call('socket', _HIGH | socket.AF_PACKET, socket.SOCK_DGRAM, 0)}"


def vsock(bait: Bait) -> str:
    """Make a socket to the hypervisor."""
    return _made(socket.AF_VSOCK, socket.SOCK_STREAM, 0)


def crypto(bait: Bait) -> str:
    """Make a socket of the kernel's crypto interface, a frequent source of its faults."""
    return _made(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)


def odd_families(bait: Bait) -> str:
    """Make a socket of any family beside unix, IPv4, IPv6 and netlink."""
    made = []
    for family in set(range(2, 50)) - {socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
            try:
                socket.socket(family, kind, 0).close()
            except OSError:
                continue
            made.append(f"{family}/{kind}")
    if not made:
        raise OSError("no family but the allowed ones")
    return f"made sockets of families {', '.join(made)}"


def pair_of_odd_family(bait: Bait) -> str:
    """Make a pair of sockets of a family that is not unix."""
    for family in (socket.AF_TIPC, socket.AF_INET):
        try:
            one, other = socket.socketpair(family)
        except OSError as error:
            refusal = error
            continue
        one.close()
        other.close()
        return f"made a pair of family {family}"
    raise refusal


def netlink_diag(bait: Bait) -> str:
    """List the host's sockets by netlink's sock_diag."""
    return _made(socket.AF_NETLINK, socket.SOCK_RAW, 4)


def netlink_others(bait: Bait) -> str:
    """Make a netlink socket of netfilter, audit, uevent, xfrm, connector, crypto or generic."""
    return any_of(lambda number: _made(socket.AF_NETLINK, 3, number), (12, 9, 15, 6, 11, 21, 16))


def interfaces(bait: Bait) -> str:
    """List the network interfaces by netlink."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.settimeout(1)
        sock.sendall(struct.pack("=IHHII B3x", 20, 18, 0x301, 1, 0, 0))  # RTM_GETLINK, dump
        sock.recv(65536)
    return ", ".join(name for _, name in socket.if_nameindex())


def new_interface(bait: Bait) -> str:
    """Make a network interface by netlink."""
    kind = struct.pack("=HH4s", 8, 1, b"dumm")
    info = struct.pack("=HH", 4 + len(kind), 18) + kind
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + info
    return _request(16, 0x605, body)  # RTM_NEWLINK, create, exclusive, acknowledge


def new_route(bait: Bait) -> str:
    """Add a route to everywhere by netlink."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0) + struct.pack("=HHI", 8, 4, 1)
    return _request(24, 0x605, body)  # RTM_NEWROUTE


def namespace_of_a_socket(bait: Bait) -> str:
    """Ask a socket for its network namespace, to enter it."""
    with socket.socket() as sock:
        fd = fcntl.ioctl(sock, _SIOCGSKNS)
    name = os.readlink(f"/proc/self/fd/{fd}")
    return f"holds {name}"


def transparent(bait: Bait) -> str:
    """Take any address for one's own by a transparent socket."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
        sock.bind((_OUTSIDE4, 8642))
        return f"bound to {sock.getsockname()}"


def tunnel(bait: Bait) -> str:
    """Open the tunnel device to make an interface."""
    return f"opened {os.open('/dev/net/tun', os.O_RDWR)}"


def listen_v4(bait: Bait) -> str:
    """Listen on every IPv4 address."""
    return _listening(socket.AF_INET, ("0.0.0.0", 9999))


def listen_v6(bait: Bait) -> str:
    """Listen on every IPv6 address."""
    return _listening(socket.AF_INET6, ("::", 9999))


def listen_unbound(bait: Bait) -> str:
    """Listen without a bind, on a port that the kernel picks, and be reached there."""
    with socket.socket() as server:
        server.listen()
        with connect(socket.AF_INET, ("127.0.0.1", server.getsockname()[1])):
            return f"reached itself at {server.getsockname()}"


def listen_mptcp(bait: Bait) -> str:
    """Listen by multipath TCP, which port rules may overlook."""
    return first([lambda: _listening(socket.AF_INET, ("0.0.0.0", 3128), _MPTCP), _heard_by_mptcp])


def receive_udp(bait: Bait) -> str:
    """Receive datagrams on a port of one's own choice."""
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.settimeout(1)
        server.bind(("127.0.0.1", 5353))
        client.sendto(b"to myself", server.getsockname())
        return server.recv(100).decode()


def steal_port(bait: Bait) -> str:
    """Listen beside the sidecar on inference.local, by SO_REUSEPORT."""
    return _listening(socket.AF_INET, ("127.0.0.2", 80))


def steal_port_everywhere(bait: Bait) -> str:
    """Listen on the sidecars' ports on all addresses, which catches what their own socket does not."""
    return first([lambda: _listening(socket.AF_INET, ("0.0.0.0", 80)), lambda: _listening(socket.AF_INET6, ("::", 80))])


def _route(family: int, address: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, _DISCARD))
        return f"goes to {address} from {sock.getsockname()[0]}"


def _made(family: int, kind: int, protocol: int) -> str:
    with socket.socket(family, kind, protocol) as sock:
        return f"made a socket of family {family}, type {kind}, protocol {protocol}: {os.fstat(sock.fileno()).st_ino}"


def _heard_by_mptcp() -> str:
    """Listen on a free port and be reached there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP) as server:
        server.bind(("127.0.0.1", 9999))
        server.listen()
        with connect(socket.AF_INET, ("127.0.0.1", 9999), protocol=_MPTCP) as peer:
            server.accept()[0].sendall(b"to myself")
            return peer.recv(100).decode()


def _listening(family: int, address: tuple[str, int], protocol: int = 0) -> str:
    with socket.socket(family, socket.SOCK_STREAM, protocol) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen()
        return f"listens on {sock.getsockname()}"


def _request(kind: int, flags: int, body: bytes) -> str:
    """Send a request by route netlink; OSError with what the kernel answers."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.settimeout(1)
        sock.sendall(struct.pack("=IHHII", 16 + len(body), kind, flags, int(time.time()), 0) + body)
        answer = sock.recv(4096)
    (code,) = struct.unpack_from("=i", answer, 16)
    if code:
        raise OSError(-code, os.strerror(-code))
    return "the kernel acknowledged"


_SERVICE: Final = "a service that trusts whoever is on the host"
_OUT: Final = "a way out past every policy"
_SURFACE: Final = "a part of the kernel that no program inside needs"
_OWN: Final = "the network is the sandbox's own: nobody else can be reached by it or reach it"

ATTACKS: Final = (
    Attack(loopback_v4, _SERVICE, "secret"),
    Attack(loopback_v6, _SERVICE, "secret", needs=("ipv6",)),
    Attack(loopback_mapped, _SERVICE, "secret", needs=("ipv6",)),
    Attack(loopback_zero, _SERVICE, "secret"),
    Attack(loopback_mptcp, _SERVICE, "secret"),
    Attack(loopback_fastopen, _SERVICE, "secret"),
    Attack(loopback_sctp, _SERVICE, "secret"),
    Attack(udp_v4, _SERVICE, "secret"),
    Attack(udp_v6, _SERVICE, "secret", needs=("ipv6",)),
    Attack(route_v4, _OUT),
    Attack(route_v6, _OUT),
    Attack(route_private, "the operator's own network"),
    Attack(metadata, "the machine's cloud credentials"),
    Attack(broadcast, _OUT),
    Attack(multicast, _OUT),
    Attack(raw_v4, "forged packets"),
    Attack(raw_v6, "forged packets"),
    Attack(raw_with_flags, "forged packets"),
    Attack(raw_packet_type, "forged packets"),
    Attack(ping, "a covert channel out"),
    Attack(packet, "everybody's traffic"),
    Attack(packet_high_bits, "everybody's traffic"),
    Attack(vsock, "the hypervisor's services"),
    Attack(crypto, _SURFACE),
    Attack(odd_families, _SURFACE),
    Attack(pair_of_odd_family, _SURFACE),
    Attack(netlink_diag, "the list of the host's connections"),
    Attack(netlink_others, _SURFACE),
    Attack(interfaces, "the names and addresses of the host's interfaces", design=Design(f"{_OWN}; only lo is there")),
    Attack(new_interface, "an interface to build a way out with"),
    Attack(new_route, _OUT),
    Attack(namespace_of_a_socket, "a handle on a network to enter"),
    Attack(transparent, "a forged sender"),
    Attack(tunnel, "an interface to build a way out with"),
    Attack(listen_v4, "a service that others inside could be lured to"),
    Attack(listen_v6, "a service that others inside could be lured to"),
    Attack(listen_unbound, "a service that others inside could be lured to"),
    Attack(listen_mptcp, "a service that others inside could be lured to"),
    Attack(receive_udp, "answers to names in place of the resolver", design=Design(_OWN)),
    Attack(steal_port, "the requests of other programs inside, with their content"),
    Attack(steal_port_everywhere, "the requests of other programs inside, with their content"),
)

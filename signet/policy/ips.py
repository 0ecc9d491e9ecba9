"""What an address is, so that a name cannot lead to where the policy did not mean."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from signet.policy.hosts import Address, mapped

_METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192",
                 "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254")
)  # fmt: skip
"""Where clouds hand their keys to whoever asks from the host."""

_KINDS = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
                 "240.0.0.0/4", "2001::/23", "2001:db8::/32", "3fff::/20"),
}  # fmt: skip
_TABLE = tuple((ip_network(text), kind) for kind, texts in _KINDS.items() for text in texts)
_GLOBAL_6 = IPv6Network("2000::/3")
_TRANSLATED = (IPv6Network("64:ff9b::/96"), 0)
_SIX_TO_FOUR = (IPv6Network("2002::/16"), 80)

ONLY_EXACT = frozenset({"loopback", "link-local", "metadata"})
"""Kinds that a network in `allowed_ips` does not open, only that very address."""
NEVER = frozenset({"unspecified", "multicast"})
"""Kinds that nothing opens."""


def kind(ip: Address) -> str:
    """Say what an address is: `public`, or why it is not: metadata, loopback, link-local, private and so on."""
    ip = mapped(ip)
    if ip in _METADATA:
        return "metadata"
    for network, what in _TABLE:
        if ip.version == network.version and ip in network:
            return what
    if isinstance(ip, IPv4Address):
        return "public"
    inner = _carried(ip)
    if inner is not None:
        return kind(inner)
    return "public" if ip in _GLOBAL_6 else "reserved"


def network(text: str) -> IPv4Network | IPv6Network | None:
    """Read an entry of `allowed_ips`; None for what is none."""
    try:
        return ip_network(text, strict=True)
    except ValueError:
        return None


def opens(entry: str, ip: Address) -> bool:
    """Tell whether an entry of `allowed_ips` lets a connection go to an address that is not public."""
    wanted, ip = network(entry), mapped(ip)
    what = kind(ip)
    if wanted is None or what in NEVER or wanted.version != ip.version or ip not in wanted:
        return False
    return wanted.num_addresses == 1 or what not in ONLY_EXACT


def too_wide(entry: IPv4Network | IPv6Network) -> str:
    """Name the kind of addresses in a network of several that only an exact listing opens, or nothing does."""
    if entry.num_addresses == 1:
        what = kind(entry.network_address)
        return what if what in NEVER else ""
    for other, what in _TABLE:
        if what in ONLY_EXACT | NEVER and _overlap(entry, other):
            return what
    return ""


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that a translator or tunnel would send this on to."""
    for prefix, shift in (_TRANSLATED, _SIX_TO_FOUR):
        if ip in prefix:
            return IPv4Address(int(ip) >> shift & 0xFFFFFFFF)
    return None

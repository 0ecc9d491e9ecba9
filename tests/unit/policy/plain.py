"""A second implementation of the decisions, for the property test: over the document itself, by other means, and slow.

It takes the canonical document as JSON values, spells every question out, and shares no code with signet/policy.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Asked:
    """One whole question: who connects, to where, which address that was, and what was requested there."""

    host: str
    port: int
    binaries: tuple[str, ...]
    ip: str
    method: str
    path: str
    now: float


@dataclass(frozen=True)
class Said:
    """The answers: to the connection, the address and the request, empty where it came to none."""

    connection: str
    explicit: bool
    ask: bool
    inspect: bool
    address: str = ""
    request: str = ""
    request_explicit: bool = False


def answer(document: dict[str, Any], grants: list[dict[str, Any]], asked: Asked) -> Said:
    """Decide it all."""
    no = "audit" if document["enforcement"] == "audit" else "deny"
    host = canonical(asked.host)
    if host is None or not 0 < asked.port < 65536:
        return Said("deny", explicit=False, ask=False, inspect=False)
    places = [
        (endpoint, block.get("binaries", []))
        for block in document["network"].values()
        for endpoint in block["endpoints"]
        if endpoint["port"] == asked.port and named(endpoint["host"], host)
    ]
    usable = [endpoint for endpoint, programs in places if everyone(programs, asked.binaries)]
    bans = [
        ban for endpoint, programs in places if anyone(programs, asked.binaries) for ban in endpoint.get("deny", [])
    ]
    granted = any(
        grant["kind"] == "network" and canonical(grant["host"]) == host and grant["port"] == asked.port
        and (grant["expires"] is None or grant["expires"] > asked.now)
        for grant in grants
    )  # fmt: skip
    lends = any(use["host"] == host and use["port"] == asked.port for use in document["secrets"].values())
    if any(ban["method"] == "*" and ban["path"] == "/**" for ban in bans):
        state = Said(no, explicit=True, ask=False, inspect=False)
    elif usable or granted:
        free = granted or any("rules" not in one and one.get("access", "full") == "full" for one in usable)
        ends = any(one["tls"] == "terminate" for one in usable)
        state = Said("allow", explicit=False, ask=False, inspect=bool(bans or lends or ends or not free))
    else:
        ask = document["approvals"]["network"] == "ask" and no == "deny" and (not numeric(host) or public(host))
        state = Said(no, explicit=False, ask=ask, inspect=no == "audit" and bool(bans or lends))
    if state.connection == "deny":
        return state
    if not public(asked.ip):
        usable = [one for one in usable if any(listed(entry, asked.ip) for entry in one.get("allowed_ips", []))]
        granted = False
        if not usable:
            return Said(**{**state.__dict__, "address": "deny"})
    passed, explicit = requested(usable, bans, asked, granted=granted)
    malformed = (
        re.fullmatch("[A-Za-z-]{1,20}", asked.method) is None
        or asked.method.upper() == "CONNECT"
        or re.fullmatch("[!-~]+", asked.path) is None
    )
    verdict = "deny" if malformed else "allow" if passed else no
    return Said(**{**state.__dict__, "address": state.connection, "request": verdict,
                   "request_explicit": explicit and not malformed})  # fmt: skip


def requested(usable: list[Any], bans: list[Any], asked: Asked, *, granted: bool) -> tuple[bool, bool]:
    """Tell whether a request passes, and whether something denies it by name."""
    method = asked.method.upper()
    for ban in bans:
        strange = readable(asked.path) is None
        path_hit = ban["path"] == "/**" or strange or covered(ban["path"].lower(), asked.path, fold=True)
        if ban["method"] in ("*", method) and path_hit:
            return False, True
    if granted:
        return True, False
    reads = ("GET", "HEAD", "OPTIONS")
    writes = ("POST", "PUT", "PATCH")
    for one in usable:
        access = one.get("access")
        if access is None and "rules" not in one:
            return True, False
        if access == "full" or (access and method in reads) or (access == "read-write" and method in writes):
            return True, False
        for rule in one.get("rules", []):
            if rule["method"] in ("*", method) and (rule["path"] == "/**" or covered(rule["path"], asked.path)):
                return True, False
    return False, False


def canonical(text: str) -> str | None:
    """Give a host's one spelling, an address' by what the C library makes of it."""
    if ":" in text or text.startswith("["):
        try:
            six = IPv6Address(re.sub(r"^\[(.*)\]$", r"\1", text))
        except ValueError:
            return None
        return None if "%" in text else str(six.ipv4_mapped or six)
    try:
        name = (text if text.isascii() else text.encode("idna").decode()).lower()
    except UnicodeError:
        return None
    name = name.removesuffix(".")
    if re.fullmatch(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)", name):
        try:
            return str(IPv4Address(socket.inet_aton(name)))
        except OSError:
            return None
    label = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    return name if re.fullmatch(rf"{label}(\.{label})*", name) and len(name) <= 253 else None


def named(wanted: str, host: str) -> bool:
    """Tell whether a policy's host is this one."""
    if wanted.startswith("*"):
        return not numeric(host) and (wanted == "*" or re.fullmatch(r"[^.]+" + re.escape(wanted[1:]), host) is not None)
    return wanted == host


def numeric(host: str) -> bool:
    """Tell whether a host in its one spelling is an address."""
    return re.fullmatch(r"[0-9.]+|.*:.*", host) is not None


def everyone(programs: list[str], binaries: tuple[str, ...]) -> bool:
    """Tell whether all who hold the socket may."""
    return not programs or (len(binaries) > 0 and all(fits(programs, binary) for binary in binaries))


def anyone(programs: list[str], binaries: tuple[str, ...]) -> bool:
    """Tell whether one of them is meant, or nobody is known."""
    return not programs or len(binaries) == 0 or any(fits(programs, binary) for binary in binaries)


def fits(programs: list[str], binary: str) -> bool:
    """Tell whether a program is one of these."""
    known = binary.startswith("/") and not binary.endswith(" (deleted)") and ".." not in binary.split("/")
    return known and any(re.fullmatch(regex(glob), binary) is not None for glob in programs)


def regex(glob: str) -> str:
    """Write a path glob as a regular expression over a path without its last slash."""
    pieces = [
        "(/[^/]+)*" if piece == "**" else "/" + ".*".join(map(re.escape, piece.split("*"))).replace(".*", "[^/]*")
        for piece in glob.rstrip("/").split("/")[1:]
    ]
    return "".join(pieces)


def readable(path: str) -> str | None:
    """Give a path decoded, without a last slash; None where two servers might read it differently."""
    bare = path.split("?", maxsplit=1)[0]
    if not bare.startswith("/") or re.search(
        r"#|;|\\|%(?![0-9a-fA-F]{2})|%2[fF]|%5[cC]|%3[bB]|%25[0-9a-fA-F]{2}", bare
    ):
        return None
    try:
        text = unquote(bare, errors="strict")
    except UnicodeDecodeError:
        return None
    bad = any(re.fullmatch(r"|\.|\.\.", piece) for piece in re.sub("/$", "", text).split("/")[1:])
    return None if bad or not text.isprintable() else re.sub("/$", "", text)


def covered(glob: str, path: str, *, fold: bool = False) -> bool:
    """Tell whether a glob covers a path that can be read in one way only."""
    text = readable(path)
    if text is None:
        return False
    return re.fullmatch(regex(glob), text.lower() if fold else text) is not None


CLOUDS = {"169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"}
LISTABLE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
CLOSED = ("0.0.0.0/8", "224.0.0.0/4", "::/128", "ff00::/8")
EXACT = ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")
OTHERS = ("192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "240.0.0.0/4")


def inside(ip: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address is in one of these."""
    return any(ip_address(ip) in ip_network(text) for text in networks)


def public(ip: str) -> bool:
    """Tell whether an address is everybody's."""
    ip = canonical(ip) or ""
    if ip in CLOUDS or inside(ip, (*LISTABLE, *CLOSED, *EXACT, *OTHERS)):
        return False
    if inside(ip, ("64:ff9b::/96",)):
        return public(str(IPv4Address(int(IPv6Address(ip)) % 2**32)))
    if inside(ip, ("2002::/16",)):
        return public(str(IPv4Address(int(IPv6Address(ip)) // 2**80 % 2**32)))
    return "." in ip or (inside(ip, ("2000::/3",)) and not inside(ip, ("2001::/23", "2001:db8::/32", "3fff::/20")))


def listed(entry: str, ip: str) -> bool:
    """Tell whether an entry of allowed_ips opens this address, which is not public."""
    ip = canonical(ip) or ""
    if ip_address(ip) not in ip_network(entry) or inside(ip, CLOSED):
        return False
    return str(ip_network(entry)[0]) == str(ip_network(entry)[-1]) or not (ip in CLOUDS or hidden(ip))


def hidden(ip: str) -> bool:
    """Tell whether an address stands for one that only an exact listing opens."""
    if inside(ip, ("64:ff9b::/96",)):
        return inside(str(IPv4Address(int(IPv6Address(ip)) % 2**32)), EXACT)
    return inside(ip, EXACT)

"""Where a connection goes, in one form however it was written: names folded, odd addresses recognised."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MAX_LETTERS = 253
_PARTS = 4
_REGISTRIES = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "me", "mil", "ne", "net", "nom",
                         "or", "org", "plc", "sch"})  # fmt: skip
_COUNTRY_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A host: `text` is its one spelling, `ip` is set where it is an address."""

    text: str
    ip: Address | None = None


def place(text: str) -> Place | None:
    """Read a host as resolvers and browsers do. None for what is neither a name nor an address.

    Case, one trailing dot and IDNA are folded; `0x7f.1`, `2130706433`, `0177.0.0.1` and `[::ffff:127.0.0.1]` are
    recognised as 127.0.0.1, so that no spelling of an address passes for a name.
    """
    if text.startswith("[") and text.endswith("]"):
        return _six(text[1:-1])
    if ":" in text:
        return _six(text)
    name = _folded(text)
    if name is None:
        return None
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _four(labels)
    if len(name) > _MAX_LETTERS or not all(map(_LABEL.fullmatch, labels)):
        return None
    return Place(name)


def pattern(text: str) -> str | None:
    """Read a host of a policy: what `place` reads, `*.` and a name below which not everybody registers, or `*`."""
    if text == "*":
        return text
    if not text.startswith("*."):
        found = place(text)
        return found.text if found else None
    base = place(text[2:])
    if base is None or base.ip is not None or _shared(base.text.split(".")):
        return None
    return f"*.{base.text}"


def matches(wanted: str, at: Place) -> bool:
    """Tell whether a policy's host is this place. A wildcard stands for one label of a name, and for no address."""
    if "*" not in wanted:
        return wanted == at.text
    if at.ip is not None:
        return False
    return wanted == "*" or at.text.partition(".")[2] == wanted[2:]


def mapped(ip: Address) -> Address:
    """Give the IPv4 address that an IPv6 one stands for, or the address itself."""
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def _shared(labels: list[str]) -> bool:
    """Tell whether strangers register names directly below: `org`, `co.uk`."""
    country = len(labels) == _COUNTRY_LETTERS and len(labels[1]) == _COUNTRY_LETTERS
    return len(labels) == 1 or (country and labels[0] in _REGISTRIES)


def _folded(text: str) -> str | None:
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return text.lower().removesuffix(".") or None


def _four(labels: list[str]) -> Place | None:
    """Read an IPv4 address as `inet_aton` does: 1 to 4 numbers, decimal, 0x or 0, the last one filling the rest."""
    if len(labels) > _PARTS or not all(map(_NUMBER.fullmatch, labels)):
        return None
    numbers = [_number(label) for label in labels]
    *high, last = numbers
    room = 256 ** (_PARTS - len(high))
    if None in numbers or any(part is None or part > 255 for part in high) or last is None or last >= room:  # noqa: PLR2004 - a byte
        return None
    value = last + sum(part * 256 ** (3 - place) for place, part in enumerate(high) if part is not None)
    ip = IPv4Address(value)
    return Place(str(ip), ip)


def _number(label: str) -> int | None:
    if len(label) > 16:  # noqa: PLR2004 - more digits than any address has, written any way
        return None
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8 if len(label) > 1 and label.startswith("0") else 10)
    except ValueError:
        return None


def _six(text: str) -> Place | None:
    try:
        ip = mapped(IPv6Address(text))
    except AddressValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.scope_id is not None:
        return None
    return Place(str(ip), ip)

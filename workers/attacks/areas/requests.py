"""Requests through the way out that two readers understand differently, or that say another thing than they mean."""

from functools import partial
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.bait import Bait
from workers.attacks.proxied import get, listen, secured, talk, tunnel

_FLOOD_BYTES: Final = 1 << 20


def method(bait: Bait) -> str:
    """Use a method that the policy denies."""
    return _each(bait, [_get(bait, "/open/x", method=name) for name in ("POST", "PUT", "DELETE", "TRACE", "PATCH")])


def method_spelling(bait: Bait) -> str:
    """Use a method in another spelling."""
    return _each(bait, [_get(bait, "/open/x", method=name) for name in ("post", "GET\tPOST", " POST", "GETPOST")])


def method_override(bait: Bait) -> str:
    """Have the site take an allowed method for another one."""
    names = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")
    return _each(bait, [_get(bait, "/open/override", f"{name}: DELETE") for name in names])


def path(bait: Bait) -> str:
    """Ask for a path that the policy denies."""
    return _each(bait, [_get(bait, text) for text in ("/hidden", "/", "/Open/x", "/openx", "//hidden", "/open")])


def path_climbing(bait: Bait) -> str:
    """Climb out of an allowed path."""
    paths = ("/open/../hidden", "/open/./../hidden", "/open/x/../../hidden", "/open//../hidden", "/open/..")
    return _each(bait, [_get(bait, text) for text in paths])


def path_escaped(bait: Bait) -> str:
    """Climb out of an allowed path with escaped dots and slashes."""
    paths = ("/open/%2e%2e/hidden", "/open/.%2e/hidden", "/open%2f..%2fhidden", "/open/%252e%252e/hidden")
    return _each(bait, [_get(bait, text) for text in paths])


def path_oddities(bait: Bait) -> str:
    """Climb out of an allowed path by what some servers read as a slash or leave out."""
    paths = ("/open/..\\hidden", "/open\\..\\hidden", "/open/..;/hidden", "/open/..%5chidden", "/open/;/../hidden")
    return _each(bait, [_get(bait, text) for text in paths])


def path_of_another_host(bait: Bait) -> str:
    """Put another host where the path is."""
    port = bait.sites["allowed"]
    targets = (f"//forbidden.test:{bait.sites['forbidden']}/open/", f"http://allowed.test:{port}@forbidden.test/open/")
    return _each(bait, [f"GET {text} HTTP/1.1\r\nHost: allowed.test:{port}\r\n\r\n" for text in targets])


def host_header(bait: Bait) -> str:
    """Name one host in the target and another in the Host header."""
    port = bait.sites["allowed"]
    wrong = (f"forbidden.test:{bait.sites['forbidden']}", "forbidden.test", f"allowed.test:{port + 1}", "")
    return _each(bait, [f"GET http://allowed.test:{port}/open/x HTTP/1.1\r\nHost: {text}\r\n\r\n" for text in wrong])


def two_hosts(bait: Bait) -> str:
    """Name two hosts in two Host headers."""
    return _each(bait, [_get(bait, "/open/x", f"Host: forbidden.test:{bait.sites['forbidden']}")])


def user_in_target(bait: Bait) -> str:
    """Hide a host behind a user's name."""
    at, port = f"allowed.test:{bait.sites['allowed']}", bait.sites["forbidden"]
    targets = (
        f"http://{at}@forbidden.test:{port}/",
        f"http://forbidden.test:{port}@{at}/open/",
        f"http://@{at}/open/x",
    )
    return _each(bait, [f"GET {text} HTTP/1.1\r\nHost: {at}\r\n\r\n" for text in targets])


def user_in_tunnel(bait: Bait) -> str:
    """Hide a host behind a user's name in the request for a tunnel."""
    at = f"allowed.test:{bait.sites['allowed']}"
    words = (f"{at}@forbidden.test:{bait.sites['forbidden']}", f"forbidden.test:{bait.sites['forbidden']}#{at}")
    return _each(bait, [f"CONNECT {text} HTTP/1.1\r\nHost: {at}\r\n\r\nGET / HTTP/1.1\r\n\r\n" for text in words])


def tunnel_other_host(bait: Bait) -> str:
    """Name one host in the request for a tunnel and another in its Host header."""
    wanted = f"forbidden.test:{bait.sites['forbidden']}"
    return _each(bait, [f"CONNECT {wanted} HTTP/1.1\r\nHost: allowed.test:{bait.sites['allowed']}\r\n\r\n"])


def tunnel_after_refusal(bait: Bait) -> str:
    """After a refusal, go on on the same connection as if it had been granted."""
    wanted = f"forbidden.test:{bait.sites['forbidden']}"
    ask = f"CONNECT {wanted} HTTP/1.1\r\nHost: {wanted}\r\n\r\n"
    return talk(bait, ask + f"GET / HTTP/1.1\r\nHost: {wanted}\r\n\r\n" + ask)


def tunnel_with_body(bait: Bait) -> str:
    """Hide a request in the body of the request for a tunnel."""
    at, hidden = f"allowed.test:{bait.sites['allowed']}", _own(bait, "/hidden")
    return talk(bait, f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}")


def other_schemes(bait: Bait) -> str:
    """Have the proxy speak another protocol."""
    wanted = f"forbidden.test:{bait.sites['forbidden']}"
    schemes = ("https", "ftp", "gopher", "file", "ws", "HTTP")
    return _each(bait, [f"GET {text}://{wanted}/ HTTP/1.1\r\nHost: {wanted}\r\n\r\n" for text in schemes])


def second_request(bait: Bait) -> str:
    """Send a denied request behind an allowed one in the same bytes."""
    return talk(bait, _get(bait, "/open/x") + _get(bait, "/hidden") + _get(bait, "/open/x", method="POST"))


def second_request_in_body(bait: Bait) -> str:
    """Send a denied request as the body of an allowed one."""
    hidden = _own(bait, "/hidden")
    return _each(bait, [_get(bait, "/open/x", f"Content-Length: {size}") + hidden for size in (0, 3, len(hidden))])


def length_and_chunks(bait: Bait) -> str:
    """Say two lengths: one in bytes and one in chunks (request smuggling)."""
    hidden = _own(bait, "/hidden")
    both = ("Content-Length: 5", "Transfer-Encoding: chunked")
    return _each(bait, [_get(bait, "/open/x", *order) + "0\r\n\r\n" + hidden for order in (both, both[::-1])])


def chunks_in_disguise(bait: Bait) -> str:
    """Say chunks so that one reader sees them and another does not."""
    hidden = _own(bait, "/hidden")
    ways = ("Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, identity")
    more = ("Transfer-Encoding:\x0bchunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding: identity")
    return _each(
        bait, [_get(bait, "/open/x", way, "Content-Length: 5") + "0\r\n\r\n" + hidden for way in (*ways, *more)]
    )


def two_lengths(bait: Bait) -> str:
    """Say two different lengths, or one that readers read differently."""
    hidden = _own(bait, "/hidden")
    ways = (("Content-Length: 0", f"Content-Length: {len(hidden)}"), ("Content-Length: +3",), ("Content-Length: 0x3",))
    return _each(bait, [_get(bait, "/open/x", *way) + hidden for way in (*ways, ("Content-Length: 3, 3",))])


def odd_chunks(bait: Bait) -> str:
    """Write chunks whose sizes readers read differently."""
    hidden = _own(bait, "/hidden")
    ways = ("0x0\r\n\r\n", "0;a\nb\r\n\r\n", " 0\r\n\r\n", "0\n\n", "-0\r\n\r\n", "00000000000000000\r\n\r\n")
    return _each(bait, [_get(bait, "/open/x", "Transfer-Encoding: chunked") + way + hidden for way in ways])


def line_ends(bait: Bait) -> str:
    """End lines oddly, so that a header is two headers to one reader."""
    ways = ("X: a\nHost: forbidden.test", "X: a\rHost: forbidden.test", "X: a\r\n Host: b", "X: a\0b", "X : a")
    return _each(bait, [_get(bait, "/open/x", way) for way in ways])


def line_ends_in_target(bait: Bait) -> str:
    """Put the end of a line, and another request, in the target."""
    ways = ("/open/x HTTP/1.1\r\nX: ", "/open/x\nGET", "/open/x%0d%0aHost:%20forbidden.test", "/open/x\rGET")
    return _each(bait, [_get(bait, way + "/hidden HTTP/1.1\n") for way in ways])


def hop_headers(bait: Bait) -> str:
    """Have the proxy drop the headers that it decided by."""
    return _each(
        bait, [_get(bait, "/open/x", f"Connection: {name}") for name in ("host", "close, host", "authorization")]
    )


def other_versions(bait: Bait) -> str:
    """Speak other versions of HTTP."""
    at = f"allowed.test:{bait.sites['allowed']}"
    ways = (
        f"GET http://{at}/hidden\r\n\r\n",
        f"GET http://{at}/hidden HTTP/0.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )
    return _each(bait, [*ways, f"GET http://{at}/hidden HTTP/1.0\r\n\r\n"])


def upgrade(bait: Bait) -> str:
    """Change the protocol on an allowed request, and then ask for what is denied."""
    ways = ("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", "Upgrade: websocket\r\nConnection: Upgrade")
    return _each(bait, [_get(bait, "/open/x", way) + _own(bait, "/hidden") for way in ways])


def header_flood(bait: Bait) -> str:
    """Send headers without end."""
    many = "".join(f"X-{number}: {'y' * 1000}\r\n" for number in range(1000))
    answer = talk(bait, _get(bait, "/open/x").removesuffix("\r\n") + many)
    return _still(bait, answer)


def answer_header_flood(bait: Bait) -> str:
    """Have a site answer with headers without end."""
    answer = talk(bait, get("flood.test", bait.sites["flood"], "/open/headers"))
    if len(answer) >= _FLOOD_BYTES:
        return f"{len(answer)} characters came through"
    return _still(bait, answer)


def decompression_flood(bait: Bait) -> str:
    """Have a site answer with a little that is a lot when it is decompressed."""
    answer = talk(bait, get("flood.test", bait.sites["flood"], "/open/compressed"))
    if len(answer) >= _FLOOD_BYTES:
        return f"{len(answer)} characters came out of 64 KiB: the proxy decompressed it"
    return _still(bait, answer)


def inspected_other_host(bait: Bait) -> str:
    """Within a tunnel that is looked into, name another host."""
    with secured(bait, "lend.test", bait.sites["lend"]) as sock:
        sock.sendall(b"GET /api/x HTTP/1.1\r\nHost: forbidden.test\r\n\r\n")
        return _unless_refused(listen(sock))


def inspected_other_name(bait: Bait) -> str:
    """Within a tunnel that is looked into, ask for another host by the name in TLS."""
    return str(secured(bait, "lend.test", bait.sites["lend"], "forbidden.test", careful=False).version())


def inspected_no_tls(bait: Bait) -> str:
    """Within a tunnel that has to be looked into, speak something that cannot be."""
    with tunnel(bait, "lend.test", bait.sites["lend"]) as sock:
        sock.sendall(b"SSH-2.0-attack\r\n\r\n")
        return _unless_refused(listen(sock) or "HTTP/1.1 400 ")


def inspected_smuggling(bait: Bait) -> str:
    """Within a tunnel that is looked into, say two lengths."""
    with secured(bait, "lend.test", bait.sites["lend"]) as sock:
        host = f"lend.test:{bait.sites['lend']}"
        lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked"
        sock.sendall(f"POST /api/x HTTP/1.1\r\nHost: {host}\r\n{lengths}\r\n\r\n0\r\n\r\nGET /x".encode())
        return _unless_refused(listen(sock))


def _get(bait: Bait, where: str, *headers: str, method: str = "GET") -> str:
    return get("allowed.test", bait.sites["allowed"], where, *headers, method=method)


def _own(bait: Bait, where: str) -> str:
    return get("allowed.test", bait.sites["allowed"], where, form="origin")


def _each(bait: Bait, requests: list[str]) -> str:
    """Send each on a connection of its own. What a site then sees is for the host to say."""
    answers = [answer.partition("\r\n")[0] or "closed" for answer in map(partial(talk, bait), requests)]
    return "; ".join(answers)


def _still(bait: Bait, answer: str) -> str:
    """Raise that it was refused, if others are served after it."""
    after = talk(bait, _get(bait, "/open/x"))
    if "hello" in after:
        raise OSError(f"{answer.partition(chr(13))[0] or 'closed'}; others are served after it")
    return f"nobody is served after it: {after[:200]}"


def _unless_refused(answer: str) -> str:
    if answer.startswith(("HTTP/1.1 4", "HTTP/1.1 5")) or not answer:
        raise ConnectionRefusedError(answer[:200])
    return answer


_DENIED: Final = "a request that the policy denies"
_OUT: Final = "a host that the policy does not let anybody to"
_NEEDS: Final = ("egress",)
_LOST: Final = "a way out that serves nobody else"

ATTACKS: Final = (
    Attack(method, _DENIED, "host", needs=_NEEDS),
    Attack(method_spelling, _DENIED, "host", needs=_NEEDS),
    Attack(
        method_override,
        _DENIED,
        "host",
        needs=_NEEDS,
        design=Design("a policy names methods as they are sent; what a site takes a header for is the site's to say"),
    ),
    Attack(path, _DENIED, "host", needs=_NEEDS),
    Attack(path_climbing, _DENIED, "host", needs=_NEEDS),
    Attack(path_escaped, _DENIED, "host", needs=_NEEDS),
    Attack(path_oddities, _DENIED, "host", needs=_NEEDS),
    Attack(path_of_another_host, _OUT, "host", needs=_NEEDS),
    Attack(host_header, _OUT, "host", needs=_NEEDS),
    Attack(two_hosts, _OUT, "host", needs=_NEEDS),
    Attack(user_in_target, _OUT, "host", needs=_NEEDS),
    Attack(user_in_tunnel, _OUT, "host", needs=_NEEDS),
    Attack(tunnel_other_host, _OUT, "host", needs=_NEEDS),
    Attack(tunnel_after_refusal, _OUT, "host", needs=_NEEDS),
    Attack(tunnel_with_body, _DENIED, "host", needs=_NEEDS),
    Attack(other_schemes, _OUT, "host", needs=_NEEDS),
    Attack(second_request, _DENIED, "host", needs=_NEEDS),
    Attack(second_request_in_body, _DENIED, "host", needs=_NEEDS),
    Attack(length_and_chunks, _DENIED, "host", needs=_NEEDS, seconds=10),
    Attack(chunks_in_disguise, _DENIED, "host", needs=_NEEDS, seconds=10),
    Attack(two_lengths, _DENIED, "host", needs=_NEEDS, seconds=10),
    Attack(odd_chunks, _DENIED, "host", needs=_NEEDS, seconds=10),
    Attack(line_ends, _DENIED, "host", needs=_NEEDS),
    Attack(line_ends_in_target, _DENIED, "host", needs=_NEEDS),
    Attack(hop_headers, _DENIED, "host", needs=_NEEDS),
    Attack(other_versions, _DENIED, "host", needs=_NEEDS),
    Attack(upgrade, _DENIED, "host", needs=_NEEDS),
    Attack(header_flood, _LOST, needs=_NEEDS),
    Attack(answer_header_flood, _LOST, needs=_NEEDS),
    Attack(decompression_flood, _LOST, needs=_NEEDS),
    Attack(inspected_other_host, _OUT, needs=_NEEDS),
    Attack(inspected_other_name, _OUT, needs=_NEEDS),
    Attack(inspected_no_tls, _DENIED, needs=_NEEDS),
    Attack(inspected_smuggling, _DENIED, needs=_NEEDS),
)

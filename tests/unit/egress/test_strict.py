"""What two readers of HTTP could understand differently is refused, and never reaches a site."""

import pytest

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way
from workers.sidecars.egress.limits import Limits

HOST = b"Host: site.test:PORT\r\n"
GET, POST = (b"%b http://site.test:PORT/ HTTP/1.1\r\n" % method + HOST for method in (b"GET", b"POST"))
BAD = {
    "both lengths": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "the same length twice": (POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "a list of lengths": (POST + b"Content-Length: 4, 4\r\n\r\nabcd", 400),
    "a signed length": (POST + b"Content-Length: +4\r\n\r\nabcd", 400),
    "a length in hexadecimal": (POST + b"Content-Length: 0x4\r\n\r\nabcd", 400),
    "a coding in disguise": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "two codings": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "a coding twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "a blank before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded header": (GET + b"X: a\r\n b\r\n\r\n", 400),
    "a line that ends with LF alone": (b"GET http://site.test:PORT/ HTTP/1.1\nHost: site.test:PORT\n\n", 400),
    "one such header": (GET + b"X: a\nY: b\r\n\r\n", 400),
    "a CR in a value": (GET + b"X: a\rb\r\n\r\n", 400),
    "a NUL": (GET + b"X: a\0b\r\n\r\n", 400),
    "an empty line first": (b"\r\nGET http://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a tab in the request line": (b"GET\thttp://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a method in small letters": (b"get http://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a blank in the target": (b"GET http://site.test:PORT/ x HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "another version": (b"GET http://site.test:PORT/ HTTP/2.0\r\nHost: site.test:PORT\r\n\r\n", 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no host": (b"GET http://site.test:PORT/ HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + b"Host: site.test:PORT\r\n\r\n", 400),
    "another host": (b"GET http://site.test:PORT/ HTTP/1.1\r\nHost: other.test:PORT\r\n\r\n", 400),
    "another port": (b"GET http://site.test:PORT/ HTTP/1.1\r\nHost: site.test\r\n\r\n", 400),
    "a user before the host": (b"GET http://me@site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a fragment": (b"GET http://site.test:PORT/#x HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "https without a tunnel": (b"GET https://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a path alone": (b"GET / HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a star": (b"OPTIONS * HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "framing named as hop": (GET + b"Connection: host\r\n\r\n", 400),
    "a CONNECT without a port": (b"CONNECT site.test HTTP/1.1\r\nHost: site.test\r\n\r\n", 400),
    "a CONNECT with a path": (b"CONNECT site.test:PORT/x HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n", 400),
    "a CONNECT whose host differs": (b"CONNECT site.test:PORT HTTP/1.1\r\nHost: other.test:PORT\r\n\r\n", 400),
    "a port beyond all": (b"CONNECT site.test:65536 HTTP/1.1\r\nHost: site.test:65536\r\n\r\n", 400),
    "TLS to the proxy itself": (bytes((22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3)) + bytes(60), 400),
    "a head without end": (b"GET http://site.test:PORT/ HTTP/1.1\r\nX: " + b"a" * Limits().head_bytes, 431),
    "headers without end": (GET + b"" + b"X: a\r\n" * 101 + b"\r\n", 431),
}  # fmt: skip
CHUNKS = {
    "an extension": b"3;x=y\r\nabc\r\n0\r\n\r\n",
    "a blank before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a size beyond all": b"fffffffff\r\nabc\r\n0\r\n\r\n",
    "more than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "a line that ends with LF alone": b"3\nabc\r\n0\r\n\r\n",
    "a trailer": b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(way: Way, site: Sites, what: str) -> None:
    here = await site()
    await way.load(network(here.port))
    data, status = BAD[what]
    answer = await way.raw(data.replace(b"PORT", str(here.port).encode()))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert not here.asked


@pytest.mark.parametrize("what", CHUNKS)
async def test_a_body_that_can_be_read_in_two_ways_is_refused(way: Way, site: Sites, what: str) -> None:
    here = await site()
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    head = f"POST http://{at}/ HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    answer = await way.raw(head + CHUNKS[what])
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert not here.asked


async def test_what_follows_a_body_is_a_request_of_its_own(way: Way, site: Sites) -> None:
    """A second request within the bytes of the first one is decided like any other."""
    here = await site()
    await way.load(network(here.port, ", access: read-write, deny: [{method: GET, path: /admin/**}]"))
    at = f"site.test:{here.port}"
    one = f"POST http://{at}/a HTTP/1.1\r\nHost: {at}\r\nContent-Length: 3\r\n\r\nabc"
    two = f"GET http://{at}/admin/x HTTP/1.1\r\nHost: {at}\r\n\r\n"
    answer = await way.raw((one + two).encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 403 " in answer
    assert [asked.line for asked in here.asked] == ["POST /a HTTP/1.1"]


async def test_bodies_reach_the_site_as_they_were_sent(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    head = f"POST http://{at}/ HTTP/1.1\r\nHost: {at}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
    sent = (head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0B\r\n0123456789a\r\n0\r\n\r\n").encode()
    assert (await way.raw(sent)).startswith(b"HTTP/1.1 200 ")
    assert here.asked[0].body == b"abc0123456789a"
    assert not {"x-hop", "connection", "proxy-connection"} & here.asked[0].headers.keys()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
        b"garbage\r\n\r\n",
    ],
)
async def test_an_answer_that_can_be_read_in_two_ways_is_not_passed_on(way: Way, site: Sites, answer: bytes) -> None:
    here = await site(lambda _: answer)
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    got = await way.raw(f"GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 502 "), got
    assert b"bad_answer" in got


async def test_a_chunk_of_an_answer_that_is_malformed_cuts_it(way: Way, site: Sites) -> None:
    """The client sees that it is not whole."""
    here = await site(lambda _: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n")
    await way.load(network(here.port))
    code, _, _ = await way.curl(f"http://site.test:{here.port}/")
    assert code == 18  # curl: transfer closed with outstanding data

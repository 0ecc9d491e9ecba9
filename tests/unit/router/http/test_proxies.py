"""A proxy of the environment is asked for the way, and told no more than it needs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.http.endpoint import Endpoint, Place, Proxy, place
from router.wire import Fault, Target, WireError
from tests.unit.router.http.certified import certified
from tests.unit.router.http.served import ASKED, HI, Peer, Served, answering, body, client, serving, silence


def through(server: Served, *, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> object:
    """Make a proxy's script: answer CONNECT, then pass bytes both ways."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        if b"200" not in answer:
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.split(":")[2].split("/")[0]))

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(copy(peer.reader, writer), copy(reader, peer.writer))
        finally:
            writer.transport.abort()

    return script


@pytest.mark.parametrize("secure_proxy", [False, True])
async def test_a_proxy_is_asked_for_a_way_and_tls_goes_through_it(tmp_path: Path, *, secure_proxy: bool) -> None:
    server, trusting = certified(tmp_path, "api.test")
    proxied, both = certified(tmp_path, "localhost")
    both.load_verify_locations(tmp_path / "api.test.pem")
    async with (
        serving(answering(HI, HI, then=silence), tls=server) as served,
        serving(through(served), tls=proxied if secure_proxy else None) as proxy,  # type: ignore[arg-type] # a script
    ):
        port = proxy.base_url.split(":")[2].split("/")[0]
        way = f"https://user:p%40ss@localhost:{port}" if secure_proxy else f"http://user:p%40ss@127.0.0.1:{port}"
        async with client(proxies={"https": way}, tls=both if secure_proxy else trusting) as wire:
            target = Target("https://api.test/v1", key="sk-secret")
            for _ in range(2):
                assert await body(await wire.open(target, ASKED)) == b"hi"
    [(said, headers, _)] = proxy.asked
    assert said == "CONNECT api.test:443 HTTP/1.1"
    assert headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert "authorization" not in headers
    assert len(served.peers) == 1
    assert "proxy-authorization" not in served.asked[0][1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Authenticate\r\n\r\n", "its proxy answered 407"),
        (b"nonsense\r\n\r\n", "its proxy answered with no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nearly", "its proxy answered with no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 20_000, "its proxy answered with no HTTP"),
        (b"", "by its proxy did not take the connection in time"),
    ],
)
async def test_a_proxy_that_gives_no_way_is_named_without_its_password_and_left(answer: bytes, why: str) -> None:
    async with serving(answering(answer, then=silence)) as proxy:
        way = proxy.base_url.replace("http://", "http://user:secret@").removesuffix("/v1")
        async with client(proxies={"https": way}, connect_seconds=0.5) as wire:
            with pytest.raises(WireError, match=why) as caught:
                await wire.open(Target("https://api.test/v1"), ASKED)
            assert caught.value.fault is Fault.UNREACHABLE
            assert "secret" not in str(caught.value)
            await proxy.until(lambda seen: seen.over == 1)


async def test_without_tls_a_proxy_is_told_the_whole_address() -> None:
    async with serving(answering(HI, then=silence)) as proxy:
        way = proxy.base_url.replace("http://", "http://u:p@").removesuffix("/v1")
        async with client(proxies={"http": way}) as wire:
            assert await body(await wire.open(Target("http://api.test:8000/v1"), ASKED)) == b"hi"
    first_line, headers, _ = proxy.asked[0]
    assert first_line == "POST http://api.test:8000/v1/chat HTTP/1.1"
    assert headers["host"] == "api.test:8000"
    assert headers["proxy-authorization"] == "Basic dTpw"


PROXIES: Mapping[str, str] = {"http": "http://p:1", "https": "p:2", "no": "inside.test,10.0.0.5"}


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://api.test/v1", Proxy(tls=False, host="p", port=1)),
        ("https://api.test/v1", Proxy(tls=False, host="p", port=2)),
        ("https://a.inside.test/v1", None),
        ("http://10.0.0.5:8000/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://127.9.9.9/v1", None),
        ("http://[::1]:8000/v1", None),
        ("http://localhost/v1", None),
        ("http://me.localhost/v1", None),
    ],
)
def test_which_addresses_are_reached_through_a_proxy(url: str, proxy: Proxy | None) -> None:
    assert place(url, "", PROXIES).endpoint.proxy == proxy


def test_a_base_address_is_read_once_and_whole() -> None:
    assert place("https://Bücher.example/a b", "", {}) == Place(
        Endpoint(tls=True, host="xn--bcher-kva.example", port=443), "/a%20b"
    )
    assert place("http://[::1]:80", "", {}).endpoint.authority == "[::1]"
    assert place("http://x/v1", "/run/s", PROXIES).endpoint == Endpoint(tls=False, host="x", port=80, socket="/run/s")
    for bad in ("ftp://x", "http://", "http://x:99999", "x"):
        with pytest.raises(WireError):
            place(bad, "", {})

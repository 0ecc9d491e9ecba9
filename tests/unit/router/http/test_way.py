"""The way to a server: its certificate is verified, its proxy is asked, its addresses are tried in turn."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from router.http.endpoint import Endpoint, Place, Proxy, place
from router.http.race import first
from router.http.resolve import Address, Resolver, in_turn
from router.wire import Fault, Request, Target, WireError
from tests.unit.router.http.served import ASKED, HI, OK, Peer, Served, answering, ask, body, client, serving, silence


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a name; give the server's context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / f"{name}.pem")
    server.set_alpn_protocols(["h2", "http/1.1"])
    trusting = ssl.create_default_context(cadata=pem.decode())
    trusting.set_alpn_protocols(["http/1.1"])
    return server, trusting


async def test_tls_is_spoken_and_kept(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    spoken: list[str | None] = []

    async def script(peer: Peer) -> None:
        spoken.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        for _ in range(3):
            await peer.request()
            await peer.send(HI)
        await silence(peer)

    async with serving(script, tls=server) as served, client(tls=trusting) as wire:
        for _ in range(3):
            assert await ask(wire, served) == b"hi"
        assert len(served.peers) == 1
        assert spoken == ["http/1.1"]


async def test_a_large_request_and_answer_go_over_tls_whole(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    said = OK + b"content-length: 8000000\r\n\r\n" + b"y" * 8_000_000
    async with serving(answering(said, then=silence), tls=server) as served, client(tls=trusting) as wire:
        assert await ask(wire, served, Request("/chat", b"x" * 8_000_000)) == b"y" * 8_000_000
        assert len(served.asked[0][2]) == 8_000_000


@pytest.mark.parametrize("case", ["wrong name", "unknown authority", "no tls"])
async def test_a_server_that_cannot_show_who_it_is_is_told_nothing(tmp_path: Path, case: str) -> None:
    name = "other.test" if case == "wrong name" else "localhost"
    server, trusting = certified(tmp_path, name)
    context = None if case == "no tls" else server
    async with serving(answering(HI), tls=context) as served, client(
        tls=None if case == "unknown authority" else trusting, connect_seconds=0.5 if case == "no tls" else 5.0
    ) as wire:  # fmt: skip
        target = Target(served.base_url.replace("http:", "https:").replace("127.0.0.1", "localhost"), key="sk-secret")
        with pytest.raises(WireError) as caught:
            await wire.open(target, ASKED)
        assert caught.value.fault is Fault.UNREACHABLE
        assert ("certificate" in str(caught.value)) == (case != "no tls")
        assert not served.asked


async def test_a_caller_that_leaves_a_tls_stream_closes_it_at_once(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    said = OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"
    async with serving(answering(said, then=silence), tls=server) as served, client(tls=trusting) as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"hi"
        await answer.aclose()
        await served.until(lambda seen: seen.over == 1)


async def test_a_connection_that_is_not_taken_in_time_is_given_up() -> None:
    """A full backlog: the kernel answers nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with client(connect_seconds=0.1) as wire:
            with pytest.raises(WireError, match="in time") as caught:
                await wire.open(Target(f"http://127.0.0.1:{port}"), ASKED)
            assert caught.value.fault is Fault.UNREACHABLE
            call = asyncio.create_task(wire.open(Target(f"http://127.0.0.1:{port}"), ASKED))
            await asyncio.sleep(0.01)
            call.cancel()
            await asyncio.wait([call])
            assert wire.sizes == {f"127.0.0.1:{port}": (0, 0)}
        for filler in fillers:
            filler.close()


async def test_a_handshake_that_stalls_is_given_up() -> None:
    async with serving(silence) as served, client(connect_seconds=0.2) as wire:
        with pytest.raises(WireError, match="in time"):
            await wire.open(Target(served.base_url.replace("http:", "https:")), ASKED)
        await served.until(lambda seen: seen.over == 1)


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


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Authenticate\r\n\r\n", b"nonsense\r\n\r\n", b"",
                                    b"HTTP/1.1 200 OK\r\n\r\nearly"])  # fmt: skip
async def test_a_proxy_that_gives_no_way_is_named_without_its_password(answer: bytes) -> None:
    async with serving(answering(answer)) as proxy:
        way = proxy.base_url.replace("http://", "http://user:secret@").removesuffix("/v1")
        async with client(proxies={"https": way}) as wire:
            with pytest.raises(WireError, match="its proxy") as caught:
                await wire.open(Target("https://api.test/v1"), ASKED)
            assert caught.value.fault is Fault.UNREACHABLE
            assert "secret" not in str(caught.value)


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


def test_families_take_turns() -> None:
    six, four = [Address(socket.AF_INET6, (f"::{n}", 1)) for n in range(3)], [Address(socket.AF_INET, ("1", 1))]
    assert in_turn([*six, *four]) == [six[0], four[0], six[1], six[2]]


async def test_an_address_that_answers_nobody_does_not_keep_the_next_one_waiting() -> None:
    with socket.socket() as full, socket.create_server(("127.0.0.1", 0)) as open_one:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with socket.socket() as refusing:
            refusing.bind(("127.0.0.1", 0))
            ways = [full.getsockname(), refusing.getsockname(), open_one.getsockname()]
            made = await first([Address(socket.AF_INET, name) for name in ways])
            assert made.getpeername() == open_one.getsockname()
            made.close()
            with pytest.raises(ConnectionRefusedError):
                await first([Address(socket.AF_INET, refusing.getsockname())] * 2)
        for filler in fillers:
            filler.close()


async def test_a_name_is_asked_for_once_in_a_while() -> None:
    now = 0.0
    resolver = Resolver(lambda: now)
    first_time, at_once = await asyncio.gather(resolver.find("localhost", 80), resolver.find("localhost", 80))
    assert first_time is at_once
    assert {ipaddress.ip_address(each.name[0]).is_loopback for each in first_time} == {True}
    assert await resolver.find("localhost", 80) is first_time
    now = 31.0
    again = await resolver.find("localhost", 80)
    assert again is not first_time
    resolver.forget("localhost", 80)
    assert await resolver.find("localhost", 80) is not again
    with pytest.raises(socket.gaierror):
        await resolver.find("nowhere.invalid", 80)


async def test_a_name_that_is_nobodys_is_unreachable() -> None:
    async with client() as wire:
        with pytest.raises(WireError, match=r"nowhere\.invalid cannot be reached") as caught:
            await wire.open(Target("http://nowhere.invalid/v1"), ASKED)
        assert caught.value.fault is Fault.UNREACHABLE

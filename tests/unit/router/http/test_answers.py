"""Answers in every form that HTTP/1.1 gives them are read as they were meant, in whatever pieces they come."""

import asyncio
from pathlib import Path

import pytest

from router.wire import Fault, Request, Target, WireError
from tests.unit.router.http.served import ASKED, HI, OK, Peer, answering, ask, body, client, serving, silence

CHUNKED = (
    OK + b'transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1;other="a b"\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n'
)
FORMS = [
    (HI, b"hi"),
    (OK + b"content-length: 0\r\n\r\n", b""),
    (CHUNKED, b"hello world"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + HI, b"hi"),
    (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + CHUNKED, b"hello world"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", b""),
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nhi", b"hi"),
]


@pytest.mark.parametrize(("said", "expected"), FORMS)
@pytest.mark.parametrize("dribbled", [False, True])
async def test_answers_are_read_in_every_form_and_the_connection_is_kept(
    said: bytes, expected: bytes, *, dribbled: bool
) -> None:
    async def script(peer: Peer) -> None:
        for _ in range(3):
            await peer.request()
            await (peer.dribble(said) if dribbled else peer.send(said))

    async with serving(script) as served, client() as wire:
        for _ in range(3):
            assert await ask(wire, served) == expected
        assert len(served.peers) == 1


async def test_a_head_is_given_as_it_was_said() -> None:
    async with serving(answering(FORMS[-1][0], then=silence)) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        assert answer.status == 200
        assert dict(answer.headers) == {"content-length": "2", "x-a": "1, 2"}
        assert await body(answer) == b"hi"


@pytest.mark.parametrize("head", [OK + b"\r\n", b"HTTP/1.0 200 OK\r\n\r\n", OK + b"connection: close\r\n\r\n"])
async def test_a_body_may_end_with_its_connection(head: bytes) -> None:
    async with serving(answering(head + b"to the end")) as served, client() as wire:
        assert await ask(wire, served) == b"to the end"
        assert await ask(wire, served) == b"to the end"
        assert len(served.peers) == 2


async def test_the_answer_to_a_head_has_no_body() -> None:
    said = OK + b"content-length: 5000\r\n\r\n"
    async with serving(answering(said, then=silence)) as served, client() as wire:
        for _ in range(2):
            assert await ask(wire, served, Request("/models", method="HEAD")) == b""
        assert served.asked[0][0] == "HEAD /v1/models HTTP/1.1"
        assert len(served.peers) == 2


@pytest.mark.parametrize("said", [
    OK + b"content-length: 2\r\nconnection: close\r\n\r\nhi",
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    HI + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    HI + b"\0\0garbage",
    OK + b"content-length: 2\r\nkeep-alive: timeout=1\r\n\r\nhi",
])  # fmt: skip
async def test_a_connection_with_anything_odd_is_not_used_again(said: bytes) -> None:
    async with serving(answering(said, then=silence)) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        await served.until(lambda seen: seen.over == 1)
        assert await ask(wire, served) == b"hi"
        assert len(served.peers) == 2


async def test_what_nobody_asked_for_ends_a_kept_connection() -> None:
    kept = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HI)
        if peer.number == 0:
            await kept.wait()
            await peer.send(HI)  # an answer to nothing
        await peer.hung_up()

    async with serving(script) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        kept.set()
        await served.until(lambda seen: seen.over == 1)
        assert await ask(wire, served) == b"hi"
        assert len(served.peers) == 2


async def test_a_request_says_what_it_must_and_nothing_twice() -> None:
    async with serving(answering(HI, then=silence)) as served, client() as wire:
        target = Target(served.base_url, key="sk-1", headers={"anthropic-version": "1", "user-agent": "x"})
        assert await body(await wire.open(target, Request("/chat", b"{}"))) == b"hi"
        first, headers, said = served.asked[0]
        assert first == "POST /v1/chat HTTP/1.1"
        assert said == b"{}"
        assert headers == {
            "host": served.base_url.split("/")[2], "accept-encoding": "identity", "user-agent": "x",
            "content-type": "application/json", "authorization": "Bearer sk-1", "anthropic-version": "1",
            "content-length": "2",
        }  # fmt: skip


async def test_a_credential_of_a_dialect_takes_the_place_of_the_bearer() -> None:
    async with serving(answering(HI, then=silence)) as served, client() as wire:
        target = Target(served.base_url, key="sk-1", headers={"x-api-key": "sk-1"})
        await body(await wire.open(target, Request("/models")))
        assert served.asked[0][0] == "GET /v1/models HTTP/1.1"
        assert "authorization" not in served.asked[0][1]
        assert served.asked[0][1]["x-api-key"] == "sk-1"


@pytest.mark.parametrize(
    "headers", [{"x": "a\r\nevil: 1"}, {"x\r\ny": "a"}, {"transfer-encoding": "chunked"}, {"x": "€"}]
)
async def test_nothing_that_is_given_adds_a_line_to_a_request(headers: dict[str, str]) -> None:
    async with serving(answering(HI)) as served, client() as wire:
        with pytest.raises(WireError, match="sent") as caught:
            await wire.open(Target(served.base_url, headers=headers), ASKED)
        assert caught.value.fault is Fault.UNREACHABLE
        assert "evil" not in str(caught.value)
        with pytest.raises(WireError):
            await wire.open(Target(served.base_url, key="a\nb"), ASKED)
        with pytest.raises(WireError):
            await wire.open(served.target, Request("/x", method="GET / HTTP/1.1\r\nx:"))
        assert not served.peers


async def test_a_path_is_written_so_that_it_stays_one() -> None:
    async with serving(answering(HI, then=silence)) as served, client() as wire:
        await ask(wire, served, Request("/models/a b\r\nhost: evil/é?x=1"))
        assert served.asked[0][0] == "GET /v1/models/a%20b%0D%0Ahost:%20evil/%C3%A9?x=1 HTTP/1.1"


async def test_a_unix_socket_is_a_way_as_well(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serving(answering(HI, HI, then=silence), unix=path) as served, client() as wire:
        target = Target(served.base_url, socket=str(path))
        for _ in range(2):
            assert await body(await wire.open(target, ASKED)) == b"hi"
        assert len(served.peers) == 1
        assert served.asked[0][1]["host"] == "localhost"


async def test_pieces_that_came_together_are_given_together() -> None:
    sent = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"transfer-encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 100 + b"0\r\n\r\n")
        sent.set()
        await peer.hung_up()

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"abc" * 100
        assert await answer.read() == b""
        await answer.aclose()

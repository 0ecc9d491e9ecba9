"""The inference sidecar as a process of its own, between a client that is us and a served door."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import door as doors
from tests.fakes.door import END, STREAM, Door, chunk, json_answer, stream_answer
from tests.integration.worker.conftest import said
from workers.sidecars import reports
from workers.sidecars.exchange import RECORD_BYTES
from workers.sidecars.reports import Message

TOKEN = "sgr_the-run-token"
POLICY = "sgr_the-token-of-the-policy"
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: inference.local\r\n"


@dataclass
class Sidecar:
    """The process, its listener's address, and the worker's end of its control socket."""

    process: asyncio.subprocess.Process
    address: Any
    control: socket.socket
    door: Door
    target: str
    buffer: bytearray = field(default_factory=bytearray)

    async def tell(self, kind: str, **fields: Any) -> None:
        await asyncio.get_running_loop().sock_sendall(self.control, reports.encode(kind, fields))

    async def hear(self) -> Message:
        async with asyncio.timeout(30):
            while not (message := reports.take(self.buffer)):
                data = await asyncio.get_running_loop().sock_recv(self.control, 65536)
                assert data, "the sidecar ended"
                self.buffer += data
        return message

    async def arm(self, run: str = "runs/r", patience: float = 0.1, index: int = 1, door: str = "") -> None:
        order = {"run": run, "token": TOKEN, "policy": POLICY, "door": door or self.target}
        await self.tell("arm", **order, patience_seconds=patience, index=index)
        assert (await self.hear()).kind == "armed"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address, limit=64 * 1024 * 1024)

    async def say(self, *headers: str, body: str = "", head: str = HEAD) -> bytes:
        """Send a request with its connection to be closed after it; gives the whole answer."""
        reader, writer = await self.connect()
        lines = [f"content-length: {len(body)}", "connection: close", *headers]
        writer.write((head + "\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def sidecar(path: Path) -> AsyncIterator[Sidecar]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    door = Door()
    with socket.create_server(("127.0.0.1", 0)) as listener, theirs, ours:
        exec_it = f"exec {sys.executable} -m workers.sidecars.inference 3<&{listener.fileno()} 4<&{theirs.fileno()}"
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", exec_it, pass_fds=(listener.fileno(), theirs.fileno()), cwd=Path(__file__).parents[3]
        )
        theirs.close()
        async with doors.serving(door, path / "door.sock") as target:
            yield Sidecar(process, listener.getsockname(), ours, door, target)
        ours.close()
        async with asyncio.timeout(30):
            assert await process.wait() == 0  # whose worker is gone has nothing to do


@pytest.fixture
async def car(tmp_path: Path) -> AsyncIterator[Sidecar]:
    async with sidecar(tmp_path) as made:
        yield made


def error(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


async def heard(car: Sidecar, count: int) -> list[Message]:
    return [await car.hear() for _ in range(count)]


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_nothing_is_forwarded_before_a_run_begins_and_after_it_ended(car: Sidecar) -> None:
    assert error(await car.say()) == (403, "not_armed")
    await car.arm()
    await car.tell("disarm")
    assert (await car.hear()).kind == "disarmed"
    assert error(await car.say()) == (403, "not_armed")
    assert car.door.asked == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n", 405),
        ("POST /v1/models HTTP/1.1\r\nHost: x\r\n", 405),
        ("POST /v1/files HTTP/1.1\r\nHost: x\r\n", 404),
        ("POST /v1/chat/completions/ HTTP/1.1\r\nHost: x\r\n", 404),
        ("POST /v1/../admin HTTP/1.1\r\nHost: x\r\n", 404),
        ("POST /v1/%63hat/completions HTTP/1.1\r\nHost: x\r\n", 404),
        ("CONNECT / HTTP/1.1\r\nHost: x\r\n", 404),
    ],
)
async def test_only_the_paths_of_models_exist(car: Sidecar, head: str, status: int) -> None:
    await car.arm()
    assert error(await car.say(head=head))[0] == status
    assert car.door.asked == []


async def test_identity_is_the_runs_alone_whatever_was_sent(car: Sidecar) -> None:
    await car.arm(run="runs/mine")
    car.door.answers = [json_answer(b"{}")]
    sent = [
        *("Authorization: Bearer sk-theirs", "authorization: Basic theirs", "X-Api-Key: theirs", "Cookie: theirs"),
        *("Proxy-Authorization: theirs", "X-Signet-Run: runs/theirs", "x-signet-usage: theirs", "Forwarded: theirs"),
        *("X-Forwarded-For: theirs", "Accept: application/json", "Content-Type: application/json", "Upgrade: h2c"),
    ]
    await car.say(*sent, body="{}")
    [asked] = car.door.asked
    assert dict(asked.headers) == {
        "host": "signet",
        "connection": "close",
        "content-length": "2",
        "authorization": f"Bearer {TOKEN}",
        "x-signet-run": "runs/mine",
        "accept": "application/json",
        "content-type": "application/json",
    }
    assert "theirs" not in repr(asked)


async def test_an_api_is_called_with_all_that_is_said_but_who_says_it(car: Sidecar) -> None:
    await car.arm(run="runs/mine")
    usage = '{"call": "c", "cost_microusd": 7}'
    car.door.answers = [json_answer(b"[]", status=404, usage=usage)]
    sent = [
        *("Authorization: Bearer theirs", "Cookie: theirs", "X-Api-Key: theirs", "X-Signet-Run: theirs"),
        *(
            "x-signet-policy: theirs",
            "Proxy-Authorization: theirs",
            "Connection: x-named",
            "X-Named: theirs",
            "TE: theirs",
        ),
        *("X-Mine: 1", "Content-Type: text/plain", "Accept-Language: de"),
    ]
    answer = await car.say(*sent, body="{}", head="PUT /apis/search/v1/a%20b?q=1&r=%2F HTTP/1.1\r\nHost: x\r\n")
    assert answer.split(b" ")[1] == b"404"
    assert b"x-signet" not in answer
    [asked] = car.door.asked
    assert asked.line == "PUT /apis/search/v1/a%20b?q=1&r=%2F HTTP/1.1"
    assert dict(asked.headers) == {
        "host": "signet", "connection": "close", "content-length": "2", "authorization": f"Bearer {TOKEN}",
        "x-signet-run": "runs/mine", "x-signet-policy": POLICY, "x-mine": "1", "content-type": "text/plain",
        "accept-language": "de",
    }  # fmt: skip
    started, finished = await heard(car, 2)
    assert (started.fields["model"], started.fields["path"]) == ("apis/search", "/apis/search/v1/a%20b?q=1&r=%2F")
    assert started.body == b"{}"
    assert (finished.fields["status"], finished.fields["usage"], finished.body) == (404, json.loads(usage), b"[]")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /apis", 200),
        ("POST /apis", 405),
        ("GET /apis/", 404),
        ("GET /apis//x", 404),
        ("GET /apisx", 404),
        ("TRACE /apis/search/x", 405),
        ("CONNECT /apis/search/x", 405),
        ("GET /v1/../apis/search", 404),
        ("GET /%61pis/search", 404),
    ],
)
async def test_only_what_is_below_an_apis_name_is_of_an_api(car: Sidecar, line: str, status: int) -> None:
    await car.arm()
    car.door.answers = [json_answer(b"{}")] if status == 200 else []
    answer = await car.say(head=f"{line} HTTP/1.1\r\nHost: x\r\n")
    assert int(answer.split()[1]) == status
    assert len(car.door.asked) == (status == 200)


async def test_the_token_of_a_policy_that_changed_takes_the_place_of_the_old_one(car: Sidecar) -> None:
    await car.arm()
    for policy in ("sgr_newer", ""):
        await car.tell("renew", policy=policy)
        assert (await car.hear()).kind == "renewed"
        car.door.answers = [json_answer(b"{}")]
        await car.say(head="GET /apis/search HTTP/1.1\r\nHost: x\r\n")
        assert car.door.asked[-1].header("x-signet-policy") == [policy]
        await heard(car, 2)
    await car.tell("disarm")
    await car.tell("renew", policy="sgr_late")
    assert [(await car.hear()).kind for _ in range(2)] == ["disarmed", "renewed"]
    assert error(await car.say(head="GET /apis/search HTTP/1.1\r\nHost: x\r\n")) == (403, "not_armed")


async def test_the_head_of_an_apis_answer_comes_without_a_body(car: Sidecar) -> None:
    await car.arm()
    for framing in (b"", b"content-length: 99\r\n"):
        car.door.answers = [[b"HTTP/1.1 200 OK\r\nx-more: 1\r\n" + framing + b"\r\n"]]
        answer = await car.say(head="HEAD /apis/search/x HTTP/1.1\r\nHost: x\r\n")
        assert b"x-more: 1" in answer
        assert answer.endswith(b"\r\n\r\n")
        assert (await heard(car, 2))[1].fields["error"] == ""


async def test_the_events_of_an_api_come_at_once_and_its_word_on_usage_counts_for_nothing(car: Sidecar) -> None:
    await car.arm()
    more = asyncio.Event()
    head = STREAM.replace(b"\r\n\r\n", b'\r\nx-signet-usage: {"call": "c", "cost_microusd": 7}\r\n\r\n')
    forged = chunk(b': signet-usage {"call": "c", "cost_microusd": 0}\n\ndata: [DONE]\n\n')
    car.door.answers = [[head, chunk(b"data: o"), more, forged, END]]
    reader, writer = await car.connect()
    writer.write(b"GET /apis/search/x HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(12) == chunk(b"data: o")
    more.set()
    assert await reader.readuntil(END) == forged + END
    assert (await heard(car, 2))[1].fields["usage"] == {"call": "c", "cost_microusd": 7}
    writer.close()


async def test_an_answer_is_streamed_on_byte_for_byte_without_the_usage(car: Sidecar) -> None:
    more = asyncio.Event()
    car.door.answers = [stream_answer(b"one", more, b"two", usage='{"call": "c", "cost_microusd": 7}')]
    await car.arm()
    reader, writer = await car.connect()
    writer.write((HEAD + "content-length: 14\r\n\r\n" + '{"model": "m"}').encode())
    assert b"transfer-encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(16) == chunk(b"data: one\n\n")
    more.set()
    rest = await reader.readuntil(END)
    assert rest == chunk(b"data: two\n\n") + chunk(b"data: [DONE]\n\n") + END
    started, finished = await car.hear(), await car.hear()
    assert (started.kind, started.fields["model"], started.body) == ("started", "m", b'{"model": "m"}')
    assert finished.body == b"data: one\n\ndata: two\n\ndata: [DONE]\n\n"
    assert finished.fields["usage"] == {"call": "c", "cost_microusd": 7}
    writer.close()


async def test_the_end_of_an_exchange_is_reported_before_the_runtime_has_it(car: Sidecar) -> None:
    """So a tool call that follows stands behind it in the record."""
    await car.arm()
    for answer in (stream_answer(b"one"), json_answer(b"{}")):
        car.door.answers = [answer]
        await car.say()
        car.control.setblocking(False)
        car.buffer += car.control.recv(1 << 20)
        assert [(await car.hear()).kind, (await car.hear()).kind] == ["started", "finished"]


async def test_a_connection_serves_one_request_after_another_pipelined_ones_too(car: Sidecar) -> None:
    car.door.answers = [json_answer(b"1"), json_answer(b"2"), json_answer(b"3")]
    await car.arm(index=5)
    reader, writer = await car.connect()
    one = f"{HEAD}content-length: 0\r\n\r\n".encode()
    writer.write(one + one)
    heads = [await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1) for _ in range(2)]
    writer.write(one)
    heads.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1))
    assert [head[-1:] for head in heads] == [b"1", b"2", b"3"]
    indexes = [(await car.hear()).fields["index"] for _ in range(6)]
    assert indexes == [5, 5, 6, 6, 7, 7]
    writer.close()


async def test_a_request_in_chunks_arrives_whole(car: Sidecar) -> None:
    car.door.answers = [json_answer(b"{}")]
    await car.arm()
    reader, writer = await car.connect()
    writer.write((HEAD + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"2\r\n{}\r\n0\r\n\r\n")
    await reader.read()
    assert car.door.asked[0].body == b"{}"
    writer.close()


async def test_a_body_beyond_the_bound_is_refused_however_it_is_sent(car: Sidecar) -> None:
    await car.arm()
    assert error(await car.say("Content-Length: 99999999"))[0] == 400  # there are two now
    reader, writer = await car.connect()
    writer.write((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode())
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for _ in range(17):
        writer.write(piece)
    assert error(await reader.read())[0] == 413
    writer.close()
    assert car.door.asked == []


async def test_an_answer_longer_than_the_record_is_passed_on_whole_and_the_record_says_cut(car: Sidecar) -> None:
    pieces: list[Any] = [chunk(b"x" * 1024 * 1024)] * 17
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    car.door.answers = [[head, *pieces, END]]
    await car.arm()
    answer = asyncio.create_task(car.say())
    assert (await car.hear()).kind == "started"
    finished = await car.hear()
    assert (await answer).count(b"x") == 17 * 1024 * 1024
    assert finished.fields["cut"]
    assert len(finished.body) == RECORD_BYTES


async def test_a_caller_that_goes_away_lets_the_model_go(car: Sidecar) -> None:
    car.door.answers = [[asyncio.Event()]]
    await car.arm()
    _, writer = await car.connect()
    writer.write(f"{HEAD}content-length: 0\r\n\r\n".encode())
    await car.door.arrived.wait()
    writer.close()
    await car.door.dropped.wait()
    assert (await car.hear()).kind == "started"
    assert (await car.hear()).fields["error"] == "the caller went away"


async def test_a_run_that_ends_breaks_off_what_it_asked_and_every_end_is_heard(car: Sidecar) -> None:
    car.door.answers = [[STREAM, chunk(b"data: one\n\n"), asyncio.Event()], [asyncio.Event()]]
    await car.arm()
    answers = [asyncio.create_task(car.say()) for _ in range(2)]
    assert {(await car.hear()).fields["index"] for _ in range(2)} == {1, 2}
    await car.door.was_asked(2)
    await car.tell("disarm")
    ends = [await car.hear() for _ in range(3)]
    assert [end.kind for end in ends] == ["finished", "finished", "disarmed"]
    assert [end.fields["error"] for end in ends[:2]] == ["the run ended"] * 2
    assert END not in b"".join(await asyncio.gather(*answers))


BREAKS: dict[str, tuple[list[Any], int]] = {
    "nothing": ([], 502),
    "half a head": ([b"HTTP/1.1 200 OK\r\nContent-"], 502),
    "garbage": ([b"SSH-2.0-x\r\n\r\n"], 502),
    "a bad header": ([b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n"], 502),
    "half a body": ([b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n12345"], 200),
    "half a chunk": ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n12345"], 200),
    "a bad chunk": ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"], 200),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_a_router_that_breaks_off_is_never_taken_for_one_that_answered(car: Sidecar, how: str) -> None:
    parts, status = BREAKS[how]
    car.door.answers = [parts]
    await car.arm()
    answer = await car.say()
    assert int(answer.split()[1]) == status
    if status == 200:
        assert not answer.endswith(END)
    await car.hear()
    finished = await car.hear()
    assert finished.fields["error"]
    assert finished.fields["status"] == status


async def test_a_router_that_is_away_is_said_to_be_with_a_time_to_come_back(car: Sidecar) -> None:
    await car.arm(door="127.0.0.1:9")
    answer = await car.say()
    assert error(answer) == (503, "router_unavailable")
    assert b"retry-after: 2" in answer
    assert (await car.hear()).kind == "started"
    assert (await car.hear()).fields["status"] == 503


async def test_errors_of_the_router_reach_the_runtime_as_they_are(car: Sidecar) -> None:
    body = b'{"error": {"code": "model_not_allowed"}}'
    car.door.answers = [json_answer(body, status=403)]
    await car.arm()
    answer = await car.say()
    assert (answer.split()[1], answer.partition(b"\r\n\r\n")[2]) == (b"403", body)


async def test_no_more_connections_than_the_bound_are_served_at_once_and_none_is_lost(car: Sidecar) -> None:
    gate = asyncio.Event()
    car.door.answers = [[gate, *json_answer(b"{}")] for _ in range(12)]
    await car.arm()
    answers = [asyncio.create_task(car.say()) for _ in range(12)]
    await car.door.was_asked(8)
    await asyncio.sleep(0.1)
    assert len(car.door.asked) == 8
    gate.set()
    assert [answer.split()[1] for answer in await asyncio.gather(*answers)] == [b"200"] * 12


async def test_a_slow_caller_holds_the_answer_up_and_not_in_memory(car: Sidecar) -> None:
    big = [chunk(b"data: " + b"x" * 65536 + b"\n\n")] * 1000
    car.door.answers = [[STREAM, *big, END]]
    await car.arm()
    reader, writer = await asyncio.open_connection(*car.address, limit=1)
    writer.write(f"{HEAD}content-length: 0\r\nconnection: close\r\n\r\n".encode())
    await car.door.arrived.wait()
    await asyncio.sleep(0.5)
    assert resident(car.process.pid) < 100 * 1024 * 1024
    assert car.door.answers == []
    assert not car.door.dropped.is_set()
    reports = asyncio.create_task(asyncio.wait_for(heard(car, 2), 30))
    size = 0
    while data := await reader.read(1 << 20):
        size += len(data)
    assert size > 65_000_000
    assert (await reports)[1].fields["cut"]
    writer.close()


async def test_the_token_is_in_no_argument_and_no_variable(car: Sidecar) -> None:
    await car.arm()
    assert "sgr_" not in said(car.process.pid)

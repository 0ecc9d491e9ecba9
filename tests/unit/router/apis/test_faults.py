"""What an API, the vault, the budgets and the callers can do wrong, and what is told and charged then."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from signet.v1 import apis_pb2 as pb
from signet.v1 import budgets_pb2, secrets_pb2
from signet.v1.apis_pb2_grpc import ApiServiceStub
from signet.v1.budgets_pb2_grpc import BudgetServiceStub
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.fakes.site import Asked, Site, plain
from tests.unit.router.apis.conftest import BEARER, VALUE, Bench
from tests.unit.router.rig import OPERATOR, bearer, code, free_port, rig

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def budget(bench: Bench, name: str = "b", **fields: Any) -> None:
    known: dict[str, Any] = {"subject": "agents/a1", "measure": "BUDGET_MEASURE_COST", "period": "BUDGET_PERIOD_WHOLE"}
    made = budgets_pb2.Budget(name=f"budgets/{name}", **{**known, **fields})
    await BudgetServiceStub(bench.running.channel).PutBudget(budgets_pb2.PutBudgetRequest(budget=made))


async def used(bench: Bench, name: str = "b") -> tuple[int, int]:
    request = budgets_pb2.GetBudgetRequest(name=f"budgets/{name}")
    found = (await BudgetServiceStub(bench.running.channel).GetBudget(request)).budget
    return found.used, found.reserved


@pytest.fixture
async def hurried(tmp_path: Path, site: Site) -> AsyncIterator[Bench]:
    """Run a router that waits no longer than it takes to see that it would wait."""
    async with rig(tmp_path / "home", first_byte_seconds=1, idle_seconds=1.5, total_seconds=3) as running:
        made = Bench(running, site)
        await made.put_secret()
        await made.put()
        yield made


async def test_every_call_has_its_row_with_its_price(bench: Bench) -> None:
    await bench.put(call_price_microusd=1200)
    answer = await bench.call(token=bench.token("search"))
    (row,) = await bench.rows()
    assert (row.run, row.agent, row.model, row.provider) == ("runs/r1", "agents/a1", "apis/search", "")
    assert (row.cost_microusd, row.price_source, row.outcome, row.input_tokens) == (1200, "user", "answered", 0)
    assert row.first_byte_micros > 0
    said = json.loads(answer.headers["x-signet-usage"])
    assert (said["call"], said["model"], said["cost_microusd"]) == (row.id, "apis/search", 1200)
    bench.site.answer = lambda _: plain(b"no", status="404 Not Found")
    await bench.call()
    assert [(row.outcome, row.cost_microusd) for row in await bench.rows()] == [("refused", 1200), ("answered", 1200)]


async def test_an_unknown_price_is_unknown_and_never_zero(bench: Bench) -> None:
    answer = await bench.call()
    assert json.loads(answer.headers["x-signet-usage"])["cost_microusd"] is None
    assert [row.cost_microusd for row in await bench.rows()] == [None]
    await budget(bench, limit=1_000_000)
    assert code(await bench.call()) == (402, "price_unknown")
    await budget(bench, limit=1_000_000, unknown_price="UNKNOWN_PRICE_ALLOW")
    assert (await bench.call()).status_code == 200
    await bench.put(call_price_microusd=0)
    await budget(bench, limit=0)
    assert (await bench.call()).status_code == 200


@pytest.mark.parametrize("subject", ["agents/a1", "agents/-", "apis/search", "runs/r1", ""])
async def test_a_budget_lets_exactly_so_many_calls_through_however_many_come_at_once(
    bench: Bench, subject: str
) -> None:
    await bench.put(call_price_microusd=300)
    await budget(bench, subject=subject, limit=1000)
    answers = await asyncio.gather(*(bench.call() for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [402] * 17
    assert {code(answer)[1] for answer in answers if answer.status_code == 402} == {"budget_exhausted"}
    assert len(bench.site.asked) == 3
    assert await used(bench) == (900, 0)


async def test_a_frozen_fleet_calls_nothing(bench: Bench) -> None:
    stub = BudgetServiceStub(bench.running.channel)
    await stub.SetFreeze(budgets_pb2.SetFreezeRequest(frozen=True))
    assert code(await bench.call()) == (402, "spending_frozen")
    assert bench.site.asked == []


async def test_a_call_that_is_cut_by_the_stop_switch_is_never_taken_for_whole(bench: Bench) -> None:
    more = asyncio.Event()
    await _dribble(bench.site, [chunk(b"first"), more, chunk(b"last"), b"0\r\n\r\n"])
    answer, reading = await _begun(bench)
    assert await anext(reading) == b"first"
    await BudgetServiceStub(bench.running.channel).SetFreeze(budgets_pb2.SetFreezeRequest(frozen=True, cut=True))
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(reading)
    await answer.aclose()
    assert [row.outcome for row in await bench.rows()] == ["left"]


async def test_an_agent_calls_so_often_in_a_minute_and_is_told_when_it_may_again(bench: Bench) -> None:
    await bench.put(calls_per_minute=3, agents=["agents/a2"])
    answers = [await bench.call() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert code(answers[3]) == (429, "rate_limit_exceeded")
    assert 0 < int(answers[3].headers["retry-after"]) <= 60
    assert (await bench.call(token=bench.token(agent="agents/a2"))).status_code == 200
    assert (await bench.call(token=bench.token("search", run="runs/r2"))).status_code == 429
    assert len(bench.site.asked) == 4


async def test_an_api_that_cannot_be_reached_costs_nothing(bench: Bench) -> None:
    await bench.put(base_url=f"http://127.0.0.1:{free_port()}", call_price_microusd=300)
    await budget(bench, limit=1000)
    answer = await bench.call()
    assert code(answer) == (503, "api_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert await bench.rows() == []
    assert await used(bench) == (0, 0)


async def test_an_api_that_does_not_begin_to_answer_is_given_up_and_charged(hurried: Bench) -> None:
    await hurried.put(call_price_microusd=300)
    await _dribble(hurried.site, [asyncio.Event()], head=b"")
    assert code(await hurried.call()) == (504, "api_timeout")
    assert [(row.outcome, row.cost_microusd) for row in await hurried.rows()] == [("timeout", 300)]


async def test_an_api_that_stalls_before_its_first_byte_of_body_is_an_honest_error(hurried: Bench) -> None:
    await _dribble(hurried.site, [asyncio.Event()])
    answer = await hurried.call()
    assert code(answer) == (504, "api_timeout")
    assert "it sent nothing for 1.5 s" in answer.text


async def test_an_answer_that_stalls_or_dribbles_is_cut_and_never_taken_for_whole(hurried: Bench) -> None:
    await _dribble(hurried.site, [chunk(b"first"), asyncio.Event()])
    with pytest.raises(httpx.RemoteProtocolError):
        await hurried.call()
    assert [row.outcome for row in await hurried.rows()] == ["timeout"]
    await _dribble(hurried.site, [part for _ in range(100) for part in (chunk(b"x"), 0.05)])
    with pytest.raises(httpx.RemoteProtocolError):
        await hurried.call()
    assert [row.outcome for row in await hurried.rows()] == ["timeout"] * 2


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "garbage": b"SSH-2.0-x\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "compressed": plain(b"x", "content-encoding: gzip"),
    "a folded header": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("how", ["nothing", "garbage", "half a head", "an upgrade", "two lengths", "compressed"])
async def test_what_is_no_answer_is_an_error_of_the_api(bench: Bench, how: str) -> None:
    await bench.put(call_price_microusd=300)
    await _dribble(bench.site, [], head=BROKEN[how])
    assert code(await bench.call(method="POST")) == (502, "api_error")
    assert [(row.outcome, row.cost_microusd) for row in await bench.rows()] == [("broken", 300)]


async def test_an_answer_that_breaks_off_is_never_taken_for_whole(bench: Bench) -> None:
    for head, part in ((CHUNKED, chunk(b"first")), (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", b"first")):
        await _dribble(bench.site, [part], head=head)
        with pytest.raises(httpx.RemoteProtocolError):
            await bench.call()
    assert [row.outcome for row in await bench.rows()] == ["broken"] * 2


async def test_an_answer_has_a_greatest_size_whether_it_says_its_own_or_not(bench: Bench) -> None:
    await bench.put(answer_bytes=2048)
    bench.site.answer = lambda _: plain(b"x" * 2048)
    assert len((await bench.call()).content) == 2048
    bench.site.answer = lambda _: plain(b"x" * 2049)
    answer = await bench.call()
    assert code(answer) == (502, "api_error")
    assert "larger than 2048 bytes" in answer.text
    await _dribble(bench.site, [chunk(b"x" * 2049)])
    assert code(await bench.call()) == (502, "api_error")
    await _dribble(bench.site, [chunk(b"x" * 1024), 0.01, chunk(b"x" * 1025)])
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.call()
    assert [row.outcome for row in await bench.rows()] == ["broken"] * 3 + ["answered"]


async def test_a_body_beyond_the_bound_is_refused(tmp_path: Path, site: Site) -> None:
    async with rig(tmp_path / "home", body_bytes=1000) as running:
        bench = Bench(running, site)
        await bench.put(secret="", placement="")
        assert code(await bench.call(method="POST", content=b"x" * 1001)) == (413, "invalid_request")
        assert (await bench.call(method="POST", content=b"x" * 1000)).status_code == 200
        assert len(site.asked) == 1


@pytest.mark.parametrize("size", [1, 3, 7, 64])
async def test_an_echo_of_the_credential_is_taken_out_over_the_borders_of_pieces(bench: Bench, size: int) -> None:
    def echoes(asked: Asked) -> bytes:
        said = json.dumps({"headers": asked.headers, "raw": "é"}).encode() + asked.headers["authorization"].encode()
        pieces = [said[start : start + size] for start in range(0, len(said), size)]
        return CHUNKED.replace(b"\r\n\r\n", b"\r\nx-echo: " + asked.headers["authorization"].encode() + b"\r\n\r\n") + (
            b"".join(map(chunk, pieces)) + b"0\r\n\r\n"
        )

    bench.site.answer = echoes
    answer = await bench.call()
    assert answer.headers["x-echo"] in {"[redacted]", "Bearer [redacted]"}
    assert answer.text.count("[redacted]") == 2
    assert "planted" not in answer.text + str(answer.headers)
    await bench.put(placement="query:key")
    bench.site.answer = lambda asked: plain(
        asked.line.encode(), f"location: /x?{asked.line.split()[1]}", status="302 Found"
    )
    answer = await bench.call()
    assert "planted" not in answer.text + str(answer.headers)


async def test_the_credential_is_in_no_error_no_log_and_no_file(
    tmp_path: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    async with rig(tmp_path / "home", first_byte_seconds=0.2) as running:
        bench = Bench(running, site)
        await bench.put_secret()
        stub = ApiServiceStub(running.channel)
        for placement in (BEARER, "header:X-Key", "query:key"):
            seen.append(str(await bench.put(placement=placement)))
            for head in (BROKEN["garbage"], BROKEN["nothing"], f"HTTP/1.1 200 {VALUE}\r\n\r\n".encode()):
                await _dribble(site, [], head=head)
                seen.append((await bench.call(method="POST")).text)
            site.answer = lambda asked: plain(asked.head, status="500 Oh")
            seen.append((await bench.call()).text)
            await bench.put(placement=placement, base_url=f"http://127.0.0.1:{free_port()}")
            seen.append((await bench.call()).text)
        seen.append(str(await stub.ListApis(pb.ListApisRequest())))
        seen.append((await running.door.get("/apis", headers=bearer(OPERATOR))).text)
        seen += [repr(row) for row in await bench.rows()]
    captured = capfd.readouterr()
    seen += [captured.out, captured.err]
    seen += [path.read_bytes().decode("latin-1") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [text for text in seen if "planted" in text]


async def test_a_secret_that_is_gone_or_does_not_open_is_said_to_be(bench: Bench) -> None:
    stub = SecretServiceStub(bench.running.channel)
    await stub.DeleteSecret(secrets_pb2.DeleteSecretRequest(name="secrets/search-key"))
    answer = await bench.call()
    assert code(answer) == (503, "secret_unavailable")
    assert "search-key" in answer.text
    assert bench.site.asked == []
    await bench.put_secret("new")
    assert (await bench.call()).status_code == 200
    assert bench.asked.headers["authorization"] == "Bearer new"


async def test_a_secret_of_an_agent_serves_calls_of_this_agent_alone(bench: Bench) -> None:
    stub = SecretServiceStub(bench.running.channel)
    await stub.DeleteSecret(secrets_pb2.DeleteSecretRequest(name="secrets/search-key"))
    await bench.put_secret("theirs", owner="agents/a2")
    assert code(await bench.call()) == (503, "secret_unavailable")
    assert (await bench.call(token=bench.token("search", agent="agents/a2"))).status_code == 200
    assert code(await bench.call()) == (503, "secret_unavailable")
    assert bench.asked.headers["authorization"] == "Bearer theirs"


async def test_each_agent_calls_with_a_secret_of_its_own_where_it_has_one(bench: Bench) -> None:
    await bench.put_secret("theirs", owner="agents/a2")
    theirs = bench.token("search", agent="agents/a2")
    for token, value in ((theirs, "theirs"), (bench.token("search"), VALUE), (theirs, "theirs")):
        assert (await bench.call(token=token)).status_code == 200
        assert bench.asked.headers["authorization"] == f"Bearer {value}"


async def test_a_credential_can_come_from_the_environment(tmp_path: Path, site: Site) -> None:
    environment = {"SIGNET_SECRET_SEARCH_KEY": "of-the-environment"}
    async with rig(tmp_path / "home", environment=environment) as running:
        bench = Bench(running, site)
        await bench.put()
        site.answer = lambda asked: plain(asked.headers["authorization"].encode())
        assert (await bench.call()).text == "Bearer [redacted]"
        assert bench.asked.headers["authorization"] == "Bearer of-the-environment"


async def test_a_credential_that_no_header_can_carry_is_an_error_and_no_call(bench: Bench) -> None:
    await bench.put_secret("é\u2028x")
    assert code(await bench.call()) == (503, "api_unavailable")
    assert bench.site.asked == []


async def test_a_caller_that_leaves_lets_the_api_go_and_is_charged(bench: Bench) -> None:
    await bench.put(call_price_microusd=300)
    gone = await _dribble(bench.site, [chunk(b"first"), asyncio.Event()])
    answer, reading = await _begun(bench)
    assert await anext(reading) == b"first"
    await answer.aclose()
    async with asyncio.timeout(10):
        await gone.wait()
        while not (rows := await bench.rows()):  # noqa: ASYNC110 - no event tells that a row is written
            await asyncio.sleep(0.01)
    assert [(row.outcome, row.cost_microusd) for row in rows] == [("left", 300)]


async def test_a_slow_caller_holds_the_api_up_and_not_the_router(bench: Bench) -> None:
    """What nobody reads stays with the API: of 64 MiB, less than 8 are taken from it."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        for _ in range(63 * 16):
            writer.write(chunk(b"x" * 65536))
            sent += 65536
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        await bench.put(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answer_bytes=64 << 20)
        answer, reading = await _begun(bench)
        size, before = len(await anext(reading)), -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 8 << 20
        async for piece in reading:
            size += len(piece)
        assert size == 63 << 20
        await answer.aclose()


async def _dribble(site: Site, parts: list[bytes | float | asyncio.Event], head: bytes = CHUNKED) -> asyncio.Event:
    """Have the site's place answer in parts, waiting in between, then close; gives what is set when its caller left."""
    left = asyncio.Event()
    if site._server:
        site._server.close()
        for writer in list(site._writers):
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = Asked((await reader.readuntil(b"\r\n\r\n"))[:-4])
            await reader.readexactly(int(asked.headers.get("content-length", "0")))
            site.asked.append(asked)
            leaving = asyncio.create_task(reader.read(1))
            leaving.add_done_callback(lambda _: left.set())
            for part in [head, *parts]:
                if isinstance(part, bytes):
                    writer.write(part)
                    await writer.drain()
                elif isinstance(part, asyncio.Event):
                    waits = asyncio.create_task(part.wait())
                    await asyncio.wait([waits, leaving], return_when=asyncio.FIRST_COMPLETED)
                    waits.cancel()
                else:
                    await asyncio.sleep(part)
            leaving.cancel()
        except (OSError, asyncio.IncompleteReadError):
            left.set()
        finally:
            writer.close()

    site._server = await asyncio.start_server(serve, "127.0.0.1", site.port)
    return left


async def _begun(bench: Bench) -> tuple[httpx.Response, AsyncIterator[bytes]]:
    request = bench.running.door.build_request("GET", "/apis/search/v1/x", headers=bearer(bench.token("search")))
    answer = await bench.running.door.send(request, stream=True)
    return answer, answer.aiter_raw()

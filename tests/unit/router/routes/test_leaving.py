"""Whoever leaves takes the call away from its provider, wherever it is; and who reads slowly holds it back."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable

from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes.provider import Fault, Reply
from tests.unit.router.rig import OPERATOR, code, events, free_port
from tests.unit.router.routes.bench import Bench, error, refusing, rows, target, text, until

Open = Callable[..., Awaitable[Bench]]
LONG = "one two three four five six seven eight"


async def test_in_the_queue(opened: Open) -> None:
    bench = await opened(1, concurrency=1)
    await bench.put()
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    first = asyncio.create_task(bench.ask())
    await bench.fakes[0].was_asked()
    second = asyncio.create_task(bench.ask())
    lane = bench.running.app.fleet.lineup("fast").stops[0].lane
    assert lane is not None
    assert lane.gate is not None
    gate = lane.gate
    await until(lambda: gate.waiting == 1)
    second.cancel()
    await until(lambda: gate.waiting == 0)
    first.cancel()
    await bench.fakes[0].hung_up()
    assert text(await bench.ask()) == "I am a"
    assert bench.asked() == [2]


async def test_after_a_failover(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(refusing(500))
    bench.fakes[1].queue(Reply(fault=Fault.STALL_AT_ONCE))
    call = asyncio.create_task(bench.ask(token=bench.running.run_token("fast", run="r3")))
    await bench.fakes[1].was_asked()
    call.cancel()
    await bench.fakes[1].hung_up()
    await until(lambda: not bench.active())  # its row is written after its provider was let go
    assert [row.outcome for row in await rows(bench, "runs/r3")] == ["refused", "left"]


async def test_while_the_ledger_waits_the_provider_is_hung_up_on_already(opened: Open) -> None:
    bench = await opened(1)
    await bench.put()
    bench.fakes[0].queue(Reply(fault=Fault.ENDLESS, delay_seconds=0.01))
    reader, writer = await asyncio.open_unix_connection(str(bench.running.home.socket("door.sock")))
    writer.write(request("fast"))
    await reader.readexactly(100)
    with sqlite3.connect(bench.running.home.router / "router.db", isolation_level=None) as lock:
        lock.execute("BEGIN IMMEDIATE")
        writer.close()
        await bench.fakes[0].hung_up(wait_seconds=2)
        lock.execute("ROLLBACK")


async def test_a_stall_after_the_first_byte_is_told_and_goes_nowhere(opened: Open) -> None:
    bench = await opened(2, idle_seconds=3)
    await bench.put(hedge_millis=2000)
    bench.fakes[0].queue(Reply(LONG, fault=Fault.STALL))
    answer = await bench.ask(stream=True)
    assert events(answer.text)[-2]["error"]["code"] == "provider_timeout"
    assert bench.asked() == [1, 0]
    await bench.fakes[0].hung_up()


async def test_a_slow_reader_holds_the_provider_back(opened: Open) -> None:
    bench = await opened(2, idle_seconds=3)
    await bench.put(hedge_millis=2000)
    bench.fakes[0].queue(Reply(fault=Fault.ENDLESS))
    reader, writer = await asyncio.open_unix_connection(str(bench.running.home.socket("door.sock")), limit=1024)
    writer.write(request("fast"))
    await reader.readexactly(100)  # and not a byte more
    await bench.fakes[0].hung_up()
    assert bench.asked() == [1, 0]
    writer.close()


async def looped(bench: Bench, name: str, model: str) -> None:
    """Make the router its own provider."""
    provider = pb.Provider(
        name=f"providers/{name}", base_url=f"http://127.0.0.1:{bench.running.app.door_port}/v1", models=[model]
    )
    stub = ProviderServiceStub(bench.running.channel)
    await stub.CreateProvider(pb.CreateProviderRequest(provider=provider, key=OPERATOR))


async def test_a_call_that_passes_routers_says_how_many(opened: Open) -> None:
    bench = await opened(1, door_port=free_port())
    await looped(bench, "me", "a/fake-small")
    assert text(await bench.ask("me/a/fake-small")) == "I am a"
    assert bench.fakes[0].asked[0].headers["x-signet-hops"] == "2"


async def test_a_loop_of_routers_ends_after_four(opened: Open) -> None:
    bench = await opened(1, door_port=free_port())
    await looped(bench, "me", "fast")
    await bench.put("fast", target("me", "fast"), target("a"))
    answer = await bench.ask(token=bench.running.run_token("fast", run="r5"))
    assert code(answer) == (400, "invalid_request")
    assert "has passed 5 routers" in error(answer)
    assert bench.asked() == [0]


def request(model: str) -> bytes:
    """Write a streamed call."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()

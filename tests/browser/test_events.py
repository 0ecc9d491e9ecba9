"""The event stream and the forms as any client sees them: resumable, bounded, and clear about what is wrong."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import web.events
from signet.kit.home import Home
from tests.browser.conftest import Served
from tests.fakes import web_control
from tests.fakes.control import furnished, text
from tests.fakes.web_control import Fleet, Gate
from tests.harness.ports import free_port
from web.options import WebOptions


@asynccontextmanager
async def signed_in(served: Served, fleet: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"origin": served.url}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=20) as client:
        answer = await client.post("/sign-in", data={"code": fleet.code()})
        assert answer.status_code == 303
        yield client


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    made = Fleet(furnished())
    async with web_control.serve(made, Home(tmp_path)):
        yield made


@asynccontextmanager
async def serving(tmp_path: Path, **options: Any) -> AsyncIterator[Served]:
    port = free_port()
    served = Served(Home(tmp_path), port, WebOptions(port=port, **options))
    await served.start()
    try:
        yield served
    finally:
        await served.stop()


async def begun(client: httpx.AsyncClient, words: str) -> str:
    """Begin a conversation; give the run's id."""
    answer = await client.post("/chat", data={"agent": "assistant", "input": words})
    page = await client.get(answer.headers["location"])
    return page.text.partition('data-topic="run:')[2].partition(":")[0]


async def messages(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Give the id and data of each message of a stream."""
    ident = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            ident = line[4:]
        elif line.startswith("data: {") and ident:
            yield ident, json.loads(line[6:])
            ident = ""


async def test_a_stream_resumed_by_last_event_id_repeats_nothing(tmp_path: Path, fleet: Fleet) -> None:
    fleet.scripts["Tell"] = (text("First.\n\n"), Gate("a"), text("Second.\n\n"), Gate("b"), text("Third."))
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        run = await begun(client, "Tell")
        topics = {"topics": f"run:{run}:0"}
        async with client.stream("GET", "/events", params=topics) as answer:
            fleet.gate("a").set()
            async for ident, data in messages(answer):
                if "Second" in json.dumps(data):
                    seen = ident
                    break
        fleet.gate("b").set()
        async with client.stream("GET", "/events", params=topics, headers={"last-event-id": seen}) as answer:
            rest = [data async for _, data in messages(answer)]

    assert rest[-1]["final"]
    said = [one["say"] for data in rest for one in data["operations"] if "say" in one]
    assert said == ["Second. Third."], "the second block was not whole before, the first was read out"


async def test_a_silent_stream_beats(tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.events, "BEAT_SECONDS", 0.05)
    fleet.scripts["Wait"] = (Gate("never"),)
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        run = await begun(client, "Wait")
        async with client.stream("GET", "/events", params={"topics": f"run:{run}:0"}) as answer:
            beats = 0
            async for line in answer.aiter_lines():
                beats += line == ": beat"
                if beats == 3:
                    break

    assert beats == 3


async def test_a_reader_that_reads_nothing_holds_nobody_up_and_loses_its_place(
    tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.events, "SEND_SECONDS", 0.3)
    fleet.scripts["Flood"] = (Gate("go"), *[text("x" * 4000 + "\n\n") for _ in range(3000)])
    async with serving(tmp_path, streams=1) as served, signed_in(served, fleet) as client:
        run = await begun(client, "Flood")
        topics = {"topics": f"run:{run}:0"}
        idle = socket.socket()
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.setblocking(False)
        await asyncio.get_running_loop().sock_connect(idle, ("127.0.0.1", served.port))
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        request = f"GET /events?topics={topics['topics']} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookies}\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(idle, request.encode())
        await asyncio.get_running_loop().sock_recv(idle, 16)
        assert (await client.get("/events", params=topics)).status_code == 503
        fleet.gate("go").set()
        async with asyncio.timeout(30):
            while True:  # until the place is free again
                async with client.stream("GET", "/events", params=topics) as answer:
                    if answer.status_code == 200:
                        break
                await asyncio.sleep(0.05)
        assert (await client.get("/runs")).status_code == 200
        idle.close()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"input=" + b"x" * (2 * 1024 * 1024), 413, "2.0 MiB"),
        (b"x" * (5 * 1024 * 1024), 413, "larger than"),
        (b"input=%ff", 400, "UTF-8"),
        (b"input=+", 400, "empty"),
        (b"agent=nobody&input=x", 404, "nobody"),
    ],
)
async def test_bad_forms_are_refused_clearly_and_write_nothing(
    tmp_path: Path, fleet: Fleet, body: bytes, status: int, said: str
) -> None:
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = await client.post("/chat", content=body, headers=kind)

    assert answer.status_code == status
    assert said in answer.text
    assert not fleet.state.runs
    assert not fleet.state.sessions


async def test_a_message_sent_twice_runs_once(tmp_path: Path, fleet: Fleet) -> None:
    """Behind a broken connection a browser may send a form again."""
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        answer = await client.post("/chat", data={"agent": "assistant", "input": "One"})
        talk = answer.headers["location"]
        for _ in range(2):
            await client.post(f"{talk}/runs", data={"input": "Two", "request_id": "the-same"})

    assert [run.input for run in fleet.state.runs.values()] == ["One", "Two"]


async def test_a_form_of_another_site_is_refused_before_it_is_read(tmp_path: Path, fleet: Fleet) -> None:
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        headers = {"origin": "https://evil.example.org", "sec-fetch-site": "cross-site"}
        answer = await client.post("/chat", data={"input": "x"}, headers=headers)
        rebound = await client.get("/", headers={"host": "evil.example.org"})

    assert (answer.status_code, rebound.status_code) == (403, 421)
    assert not fleet.state.runs


async def test_a_long_conversation_is_shown_from_its_end_and_read_back_page_by_page(
    tmp_path: Path, fleet: Fleet
) -> None:
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        talk = (await client.post("/chat", data={"input": "Message 0."})).headers["location"]
        for number in range(1, 15):
            await client.post(f"{talk}/runs", data={"input": f"Message {number}."})
        newest = (await client.get(talk)).text
        before = newest.partition('<a href="?before=')[2].partition('"')[0]
        earlier = (await client.get(f"{talk}?before={before}")).text

    assert [number for number in range(15) if f"Message {number}.</p>" in newest] == list(range(3, 15))
    assert [number for number in range(15) if f"Message {number}.</p>" in earlier] == [0, 1, 2]
    assert "Newest messages" in earlier


async def test_a_conversation_whose_agent_was_deleted_can_be_read(tmp_path: Path, fleet: Fleet) -> None:
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        talk = (await client.post("/chat", data={"input": "Remember me."})).headers["location"]
        fleet.state.agents["agents/assistant"].delete_time.GetCurrentTime()
        page = await client.get(talk)

    assert page.status_code == 200
    assert "Remember me." in page.text
    assert "agent was deleted" in page.text
    assert "<textarea" not in page.text


async def test_a_fleet_without_agents_or_router_still_has_its_pages(tmp_path: Path, fleet: Fleet) -> None:
    fleet.state.agents.clear()
    fleet.state.models.clear()
    async with serving(tmp_path) as served, signed_in(served, fleet) as client:
        codes = {
            path: (await client.get(path)).status_code for path in ("/", "/runs", "/agents", "/models", "/sessions")
        }

    assert set(codes.values()) == {200}, codes

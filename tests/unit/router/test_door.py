"""The door lets in who may, tells everybody else why not, and reads only what is sound."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.authorise import Callers
from signet.kit.auth import Caller
from signet.kit.errors import Unauthenticated
from tests.fakes.provider import FakeProvider, Reply, ToolCall
from tests.unit.router.rig import OPERATOR, VIEWER, WORKER, Rig, add, bearer, code, events, rig, said_usage

ASK = {"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home", fake) as started:
        yield started


async def test_no_token_and_other_schemes_are_refused(running: Rig, fake: FakeProvider) -> None:
    for headers in ({}, {"authorization": ""}, {"authorization": "Basic abc"}, {"authorization": "Bearer"}):
        answer = await running.door.post("/v1/chat/completions", json=ASK, headers=headers)
        assert code(answer) == (401, "unauthorized")
    assert not fake.asked


async def test_a_run_token_opens_its_models_and_no_others(running: Rig, fake: FakeProvider) -> None:
    token = running.run_token("fake/fake-small")
    assert (await running.chat(token=token)).status_code == 200
    refused = await running.chat(token=token, model="fake/fake-large")
    assert code(refused) == (403, "model_not_allowed")
    assert "fake/fake-small" in refused.json()["error"]["message"]
    assert code(await running.chat(token=token, model="fake/none-such")) == (403, "model_not_allowed")
    assert len(fake.asked) == 1
    listed = await running.door.get("/v1/models", headers=bearer(token))
    assert [model["id"] for model in listed.json()["data"]] == ["fake/fake-small"]


@pytest.mark.parametrize("what", ["expired", "foreign", "cut", "changed", "empty", "no json"])
async def test_a_run_token_that_is_not_sound_is_refused(running: Rig, fake: FakeProvider, what: str) -> None:
    good = running.run_token("fake/fake-small")
    token = {
        "expired": running.run_token("fake/fake-small", seconds=-1),
        "foreign": running.run_token("fake/fake-small", key=b"\x01" * 32),
        "cut": good[:-5],
        "changed": good[:12] + ("A" if good[12] != "A" else "B") + good[13:],
        "empty": "sgr_",
        "no json": "sgr_bm90IGpzb24.aaaa",
    }[what]
    answer = await running.chat(token=token)
    assert code(answer) == (401, "unauthorized")
    assert token not in answer.text
    assert not fake.asked


async def test_operators_ask_viewers_look_and_workers_do_neither(running: Rig) -> None:
    assert (await running.chat(token=OPERATOR)).status_code == 200
    assert code(await running.chat(token=VIEWER)) == (403, "unauthorized")
    assert code(await running.chat(token=WORKER)) == (403, "unauthorized")
    assert code(await running.chat(token="sgt_nobody-knows-it")) == (401, "unauthorized")
    assert (await running.door.get("/v1/models", headers=bearer(VIEWER))).status_code == 200
    assert code(await running.door.get("/v1/models", headers=bearer(WORKER))) == (403, "unauthorized")


async def test_an_operators_token_is_asked_about_once_for_many_calls(running: Rig) -> None:
    before = running.tokens.asked
    answers = await asyncio.gather(*(running.chat(token=VIEWER) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {403}
    await running.chat(token=VIEWER)
    assert running.tokens.asked == before + 1


async def test_a_revoked_token_is_refused_after_five_seconds_at_the_latest() -> None:
    now = 100.0
    known = {"sgt_a": Caller("tokens/a", "OPERATOR")}

    async def check(secret: str) -> Caller:
        if secret not in known:
            raise Unauthenticated("TOKEN_REVOKED", "the token was revoked")
        return known[secret]

    callers = Callers(check, clock=lambda: now)
    await callers.authenticate("sgt_a")
    known.clear()
    now += 4.9
    await callers.authenticate("sgt_a")
    now += 0.2
    with pytest.raises(Unauthenticated, match="revoked"):
        await callers.authenticate("sgt_a")


async def test_without_control_operators_are_refused_and_runs_go_on(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake) as running:
        path = running.home.socket("control.sock")
        path.rename(path.with_suffix(".away"))
        answer = await running.chat(token="sgt_not-asked-about-yet")
        assert answer.status_code in (401, 503)
        assert (await running.chat(token=running.run_token("fake/fake-small"))).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"model": "fake/fake-small", "messages": [{"role": "user", "content": "\xff"}]}', "not UTF-8"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"[" * 200_000, "deeply"),
        (b'{"a": NaN}', "out of bounds"),
        (b'{"a": ' + b"1" * 5000 + b"}", "out of bounds"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}', "model"),
        (b'{"model": 7, "messages": [{"role": "user", "content": "hi"}]}', "model"),
        (b'{"model": "fake/fake-small"}', "messages"),
        (b'{"model": "fake/fake-small", "messages": []}', "messages"),
        (b'{"model": "fake/fake-small", "messages": ["hi"]}', "messages[0]"),
        (b'{"model": "fake/fake-small", "messages": [{"role": "user"}], "stream": "yes"}', "stream"),
        (b'{"model": "fake/fake-small", "messages": [{"role": "user"}], "stream_options": 1}', "stream_options"),
    ],
)
async def test_a_bad_body_is_told_what_is_wrong(running: Rig, fake: FakeProvider, body: bytes, says: str) -> None:
    answer = await running.door.post("/v1/chat/completions", content=body, headers=bearer(OPERATOR))
    assert code(answer) == (400, "invalid_request")
    assert says in answer.json()["error"]["message"]
    assert not fake.asked


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(running: Rig) -> None:
    reader, writer = await asyncio.open_unix_connection(str(running.home.socket("door.sock")))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR}\r\n"
    writer.write(f"{head}content-length: {17 << 20}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_body_that_grows_too_large_is_refused(tmp_path: Path, fake: FakeProvider) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    async with rig(tmp_path / "home", fake, body_bytes=10_000) as running:
        answer = await running.door.post("/v1/chat/completions", content=pieces(), headers=bearer(OPERATOR))
        assert code(answer) == (413, "invalid_request")


async def test_a_body_that_never_comes_is_not_waited_for_for_ever(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake, idle_seconds=0.2) as running:
        reader, writer = await asyncio.open_unix_connection(str(running.home.socket("door.sock")))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR}\r\n"
        writer.write(f"{head}content-length: 50\r\n\r\nhalf".encode())
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_an_unknown_model_is_told_near_names(running: Rig) -> None:
    for asked in ("fake/fake-smal", "fake-small", "models/fake/fake-smal"):
        answer = await running.chat(model=asked)
        assert code(answer) == (404, "model_not_found")
        assert "Did you mean fake/fake-small" in answer.json()["error"]["message"]
    assert code(await running.chat(model="default")) == (404, "model_not_found")


async def test_other_paths_and_methods_say_what_there_is(running: Rig) -> None:
    headers = bearer(OPERATOR)
    assert code(await running.door.get("/v1/completions", headers=headers)) == (404, "invalid_request")
    assert code(await running.door.get("/v1/chat/completions", headers=headers)) == (405, "invalid_request")
    assert code(await running.door.get("/v1/models/fake/nope", headers=headers)) == (404, "model_not_found")
    one = await running.door.get("/v1/models/fake/fake-small", headers=headers)
    assert one.json()["id"] == "fake/fake-small"
    assert (await running.door.get("/health")).json() == {"status": "ok"}


async def test_the_provider_is_asked_for_its_own_model_and_for_usage(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply("one two"))
    answer = await running.chat(stream=True, temperature=0.5, seed=7)
    sent = fake.asked[-1].body
    assert sent["model"] == "fake-small"
    assert sent["stream_options"] == {"include_usage": True}
    assert (sent["temperature"], sent["seed"]) == (0.5, 7)
    assert "authorization" not in fake.asked[-1].headers
    usage = said_usage(answer.text)
    assert usage["input_tokens"] == 11
    assert usage["output_tokens"] == 4
    assert usage["cached_tokens"] == 3
    assert usage["reasoning_tokens"] == 2
    assert usage["cost_microusd"] is None
    assert not usage["estimated"]
    assert (usage["provider"], usage["model"]) == ("fake", "fake-small")


async def test_the_usage_event_is_shown_to_whoever_asked_for_it_only(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply("a"), Reply("a"))
    without = events((await running.chat(stream=True)).text)
    asked = events((await running.chat(stream=True, stream_options={"include_usage": True})).text)
    assert all(event["choices"] for event in without[:-2])
    assert asked[-3]["usage"]["prompt_tokens"] == 11


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", ["missing", "null", "twice", "spaced"])
async def test_usage_is_read_or_else_estimated_and_marked(
    running: Rig, fake: FakeProvider, said: str, *, stream: bool
) -> None:
    fake.queue(Reply("one two three", usage=said, cut=7))
    answer = await running.chat(stream=stream)
    usage = said_usage(answer.text) if stream else json.loads(answer.headers["x-signet-usage"])
    assert usage["estimated"] == (said in ("missing", "null"))
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] >= 3


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
async def test_a_stream_arrives_whole_however_it_is_cut(
    running: Rig, fake: FakeProvider, newline: str, cut: int
) -> None:
    fake.queue(Reply("Grüße aus dem Straßencafé — 🙂 !", newline=newline, cut=cut))
    answer = await running.chat(stream=True)
    *deltas, done, _ = events(answer.text)
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in deltas)
    assert text == "Grüße aus dem Straßencafé — 🙂 !"
    assert done == "[DONE]"
    assert not said_usage(answer.text)["estimated"]


async def test_tool_calls_pass_through_untouched(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(tool_calls=(ToolCall("look", {"at": "ä"}, "c1"), ToolCall("look", {"at": "b"}, "c2"))))
    answer = await running.chat(tools=[{"type": "function", "function": {"name": "look"}}])
    calls = answer.json()["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], json.loads(call["function"]["arguments"])["at"]) for call in calls] == [
        ("c1", "ä"),
        ("c2", "b"),
    ]
    assert fake.asked[-1].body["tools"][0]["function"]["name"] == "look"


async def test_a_megabyte_of_input_goes_through(running: Rig, fake: FakeProvider) -> None:
    text = "lorem ipsum \N{LATIN SMALL LETTER E WITH ACUTE} " * 60_000
    fake.queue(Reply("read"))
    answer = await running.chat(messages=[{"role": "user", "content": text}])
    assert answer.status_code == 200
    assert fake.asked[-1].body["messages"][0]["content"] == text


async def test_what_a_dearer_tier_costs_is_unknown_and_not_the_usual(tmp_path: Path) -> None:
    prices: Any = {"input_price_microusd_per_million": 10**6, "output_price_microusd_per_million": 10**6}
    async with FakeProvider() as fake, rig(tmp_path / "d") as router:
        await add(router, fake, **prices)
        costs = []
        for tier in ("default", "priority"):
            asked = {"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}], "service_tier": tier}
            answer = await router.door.post("/v1/chat/completions", json=asked, headers=bearer(OPERATOR))
            costs.append(json.loads(answer.headers["x-signet-usage"])["cost_microusd"])

    assert costs[0] > 0
    assert costs[1] is None

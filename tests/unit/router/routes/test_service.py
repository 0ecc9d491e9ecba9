"""Routes are kept, listed, changed at once, and refused with everything that is wrong; their models are models."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from signet.kit.errors import SignetError, from_rpc
from signet.v1 import models_pb2
from signet.v1 import routes_pb2 as pb
from signet.v1.models_pb2_grpc import ModelServiceStub
from tests.fakes.provider import FakeProvider, Reply
from tests.unit.router.rig import VIEWER, add, bearer, code, rig
from tests.unit.router.routes.bench import MODEL, Bench, error, refusing, target, text

Open = Callable[..., Awaitable[Bench]]
UNKNOWN = cast(pb.RoutePreference, 99)
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


async def refused(call: Awaitable[Any]) -> SignetError:
    """Give the error of a call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)


async def test_a_route_is_kept_as_it_was_given_and_over_a_restart(tmp_path: Path) -> None:
    given = (target("fake", weight=7, concurrency=3, context_tokens=99, capabilities=["tools", "images"]),)
    async with FakeProvider() as fake:
        async with rig(tmp_path / "home", fake) as running:
            bench = Bench(running, [fake])
            kept = await bench.put(
                "f.1-x", *given, preference="ROUTE_PREFERENCE_PRICE", hedge_millis=9, repeat_timeouts=True,
                description="for people",
            )  # fmt: skip
            assert kept.update_time.seconds > 0
        async with rig(tmp_path / "home") as running:
            bench = Bench(running, [fake])
            found = (await bench.stub.GetRoute(pb.GetRouteRequest(name="routes/f.1-x"))).route
            assert found == kept
            assert (found.preference, found.hedge_millis, found.repeat_timeouts) == (pb.ROUTE_PREFERENCE_PRICE, 9, True)
            assert (found.targets[0].weight, found.targets[0].concurrency, found.description) == (7, 3, "for people")
            assert list(found.targets[0].capabilities) == ["images", "tools"]


async def test_routes_are_listed_by_name_a_page_at_a_time(opened: Open) -> None:
    bench = await opened(1)
    for name in ("c", "x", "d"):
        await bench.put(f"r{name}")
    first = await bench.stub.ListRoutes(pb.ListRoutesRequest(page_size=2))
    assert [route.name for route in first.routes] == ["routes/rc", "routes/rd"]
    rest = await bench.stub.ListRoutes(pb.ListRoutesRequest(page_size=2, page_token=first.next_page_token))
    assert [route.name for route in rest.routes] == ["routes/rx"]
    assert not rest.next_page_token


async def test_a_change_takes_effect_with_the_next_call(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a"))
    assert text(await bench.ask()) == "I am a"
    await bench.put("fast", target("b"))
    assert text(await bench.ask()) == "I am b"
    await bench.stub.DeleteRoute(pb.DeleteRouteRequest(name="routes/fast"))
    assert code(await bench.ask()) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        (pb.Route(), {"route.name", "route.targets"}),
        (pb.Route(name="routes/default", targets=[target("a")]), {"route.name"}),
        (pb.Route(name="routes/A", targets=[target("a")]), {"route.name"}),
        (pb.Route(name="routes/" + "x" * 64, targets=[target("a")]), {"route.name"}),
        (pb.Route(name="routes/x/y", targets=[target("a")]), {"route.name"}),
        (pb.Route(name="routes/x", targets=[target("a"), target("a")]), {"route.targets"}),
        (pb.Route(name="routes/x", targets=[target("a", f"m{n}") for n in range(33)]), {"route.targets"}),
        (
            pb.Route(name="routes/x", targets=[pb.Target(provider="a", weight=1001, concurrency=-1)]),
            {f"route.targets[0].{field}" for field in ("provider", "upstream_model", "weight", "concurrency")},
        ),
        (pb.Route(name="routes/x", targets=[target("a", capabilities=["fly"])]), {"route.targets[0].capabilities"}),
        (pb.Route(name="routes/x", targets=[target("a")], preference=UNKNOWN), {"route.preference"}),
        (pb.Route(name="routes/x", targets=[target("a")], hedge_millis=-1), {"route.hedge_millis"}),
        (pb.Route(name="routes/x", targets=[target("a")], description="a\nb"), {"route.description"}),
    ],
)  # fmt: skip
async def test_everything_that_is_wrong_is_told(opened: Open, route: pb.Route, fields: set[str]) -> None:
    bench = await opened(1)
    found = await refused(bench.stub.PutRoute(pb.PutRouteRequest(route=route)))
    assert found.reason == "INVALID_FIELD"
    assert {violation.field for violation in found.violations} == fields


async def test_names_are_not_taken_twice_and_near_ones_are_told(opened: Open) -> None:
    bench = await opened(1)
    await bench.put("faster")
    assert (await refused(bench.put("a"))).reason == "NAME_TAKEN"
    assert (await refused(bench.put("x", target("nobody")))).reason == "PROVIDER_NOT_FOUND"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await add(bench.running, bench.fakes[0], "faster")
    assert from_rpc(caught.value).reason == "NAME_TAKEN"
    missing = await refused(bench.stub.GetRoute(pb.GetRouteRequest(name="routes/fastr")))
    assert missing.reason == "ROUTE_NOT_FOUND"
    assert "faster" in missing.message
    answer = await bench.ask("fastr")
    assert code(answer) == (404, "model_not_found")
    assert "Did you mean faster?" in error(answer)


async def test_a_routes_model_is_a_model(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a", context_tokens=100), target("b", context_tokens=900))
    stub = ModelServiceStub(bench.running.channel)
    listed = [model.name for model in (await stub.ListModels(models_pb2.ListModelsRequest(page_size=100))).models]
    assert "models/fast" in listed
    assert listed == sorted(listed)
    found = (await stub.GetModel(models_pb2.GetModelRequest(name="models/fast"))).model
    assert (found.provider, found.profile.context_tokens, found.profile.chat) == ("", 900, True)
    chosen = (await stub.SetDefaultModel(models_pb2.SetDefaultModelRequest(name="models/fast"))).model
    assert chosen.is_default
    assert text(await bench.ask("default")) == "I am a"
    there = await bench.running.door.get("/v1/models/fast", headers=bearer(VIEWER))
    assert there.json()["owned_by"] == "routes"
    page = await bench.running.door.get("/v1/models", headers=bearer(bench.running.run_token("fast")))
    assert [item["id"] for item in page.json()["data"]] == ["fast"]


async def test_a_run_asks_the_routes_that_its_token_names_and_no_others(opened: Open) -> None:
    bench = await opened(1)
    await bench.put("fast")
    assert text(await bench.ask(token=bench.running.run_token("fast"))) == "I am a"
    assert code(await bench.ask("a/fake-small", token=bench.running.run_token("fast"))) == (403, "model_not_allowed")
    assert code(await bench.ask(token=bench.running.run_token("a/fake-small"))) == (403, "model_not_allowed")


async def test_targets_that_lack_what_a_call_needs_are_passed_over(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a", capabilities=["images"]), target("b", capabilities=["tools"]))
    assert text(await bench.ask(tools=TOOLS)) == "I am b"
    assert text(await bench.ask()) == "I am a"
    await bench.put("blind", target("a", capabilities=["images"]), target("b", capabilities=["json_schema"]))
    answer = await bench.ask("blind", tools=TOOLS)
    assert code(answer) == (400, "invalid_request")
    assert "a/fake-small lacks tools; b/fake-small lacks tools" in error(answer)
    assert bench.asked() == [1, 1]
    why = {state.target.provider: (state.place, state.reason) for state in await bench.explain("fast", needs=["tools"])}
    assert why == {
        "providers/b": (1, "ready: number 2 of the route"),
        "providers/a": (0, "a/fake-small lacks tools"),
    }


async def test_a_prompt_goes_where_it_fits(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a", context_tokens=20), target("b", context_tokens=2000))
    long: Any = [{"role": "user", "content": "word " * 100}]
    assert text(await bench.ask(messages=long)) == "I am b"
    answer = await bench.ask(messages=[{"role": "user", "content": "word " * 9000}])
    assert code(answer) == (400, "context_length_exceeded")
    assert [(state.place, state.target.provider) for state in await bench.explain(input_tokens=100)] == [
        (1, "providers/b"), (0, "providers/a"),
    ]  # fmt: skip


async def test_the_cheapest_of_known_price_is_first(opened: Open) -> None:
    bench = await opened(1)
    async with FakeProvider(answer=lambda _: Reply("I am dear")) as dear, FakeProvider() as cheap:
        for name, fake, price in (("dear", dear, 9_000_000), ("cheap", cheap, 1_000_000)):
            fields: Any = {f"{way}_price_microusd_per_million": price for way in ("input", "output")}
            await add(bench.running, fake, name, **fields)
        await bench.put("fast", target("a"), target("dear"), target("cheap"), preference="ROUTE_PREFERENCE_PRICE")
        assert [state.target.provider for state in await bench.explain()] == [
            "providers/cheap", "providers/dear", "providers/a",
        ]  # fmt: skip
        assert "$1 a million tokens" in (await bench.explain())[0].reason
        cheap.queue(refusing(500))
        assert text(await bench.ask()) == "I am dear"


async def test_a_session_meets_the_same_target_again(opened: Open) -> None:
    bench = await opened(3)
    await bench.put("fast", preference="ROUTE_PREFERENCE_WEIGHT")
    for key in ("one", "two", "three", "four"):
        answers = {text(await bench.ask(prompt_cache_key=key)) for _ in range(6)}
        assert len(answers) == 1
    token = bench.running.run_token("fast")  # of a session
    first = (await bench.explain(session="sessions/s1"))[0].target.provider.removeprefix("providers/")
    assert {text(await bench.ask(token=token)) for _ in range(6)} == {f"I am {first}"}


@pytest.mark.parametrize("preference", ["ROUTE_PREFERENCE_SPEED", "ROUTE_PREFERENCE_LOAD"])
async def test_a_session_stays_where_it_was_while_that_is_ready(opened: Open, preference: str) -> None:
    bench = await opened(2)
    await bench.put("fast", preference=preference)
    bench.fakes[0].queue(refusing(429, retry_after="3600"))
    for _ in range(3):
        assert text(await bench.ask(prompt_cache_key="one")) == "I am b"
    lane = bench.running.app.fleet.lineup("fast").stops[0].lane
    assert lane is not None
    lane.circuit._held = 0.0  # it is back
    assert text(await bench.ask(prompt_cache_key="one")) == "I am b"


async def test_a_plain_name_is_explained_as_a_route_of_one(opened: Open) -> None:
    bench = await opened(1)
    [state] = await bench.explain(f"a/{MODEL}")
    assert (state.place, state.reason, state.circuit) == (1, "ready", "closed")
    assert (state.active, state.allowed) == (0, 64)
    await bench.ask(f"a/{MODEL}")
    [state] = await bench.explain(f"a/{MODEL}")
    assert state.first_byte_micros > 0
    assert (await refused(bench.explain("nothing"))).reason == "MODEL_NOT_FOUND"
    assert (await refused(bench.explain("a/fake-small", needs=["wings"], input_tokens=-1))).reason == "INVALID_FIELD"

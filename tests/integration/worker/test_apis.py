"""APIs as an agent calls them: from inside its sandbox, without a credential, and in the record like its models."""

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

from router.app import serving
from router.options import RouterOptions
from router.store.ledger import Filter
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.home import Home
from tests.fakes import work as works
from tests.fakes.door import Door, json_answer
from tests.fakes.site import Site, plain
from tests.fakes.work import Work, order
from tests.integration.worker.conftest import Bench, execs, results
from tests.unit.router.apis.conftest import Bench as Apis
from tests.unit.router.rig import rig
from workers.options import Options

CALL = "curl -sS -H 'X-Api-Key: mine' http://inference.local/apis/search/v1/find?q=a%20b -d asked"


async def test_a_program_in_a_sandbox_calls_an_api_in_the_runs_name(bench: Bench) -> None:
    usage = '{"call": "c", "model": "apis/search", "cost_microusd": 9}'
    bench.door.answers = [json_answer(b'{"found": 1}', usage=usage)]
    async with bench.worker():
        run = await bench.run(*execs(CALL), policy=order("apis: [search]\n", secrets_token="sgr_names-search"))
        ending = await bench.work.outcome(run)
    assert '{"found": 1}' in results(ending)[0]
    [asked] = bench.door.asked
    assert asked.line == "POST /apis/search/v1/find?q=a%20b HTTP/1.1"
    assert asked.body == b"asked"
    assert asked.header("x-signet-policy") == ["sgr_names-search"]
    assert asked.header("x-signet-run") == [run]
    assert asked.header("authorization")[0].startswith("Bearer ")
    assert not asked.header("x-api-key")
    started = bench.work.of(run, "model_call_started")[0].model_call_started
    finished = bench.work.of(run, "model_call_finished")[0].model_call_finished
    assert (started.model, started.path) == ("apis/search", "/apis/search/v1/find?q=a%20b")
    assert (finished.status, finished.usage.cost_microusd, finished.usage.calls) == (200, 9, 1)
    assert b"sgr_names-search" not in b"".join(event.SerializeToString() for event in bench.work.events[run])


async def test_a_policy_that_changes_in_the_middle_of_a_run_counts_for_its_next_call(bench: Bench) -> None:
    bench.door.answers = [json_answer(b"[]"), json_answer(json.dumps({"error": {}}).encode(), status=403)]
    waiting = "while ! test -e go; do sleep 0.01; done"
    before = order("apis: [search]\n", secrets_token="sgr_names-search")
    async with bench.worker():
        run = await bench.run(*execs(CALL, waiting, CALL), policy=before)
        await bench.work.seen(run, "tool_call_finished")
        bench.work.direct(load_policy=order("apis: []\n", version=2))
        await bench.work.seen(run, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        await bench.work.outcome(run)
    assert [asked.header("x-signet-policy") for asked in bench.door.asked] == [["sgr_names-search"], [""]]


async def test_a_program_in_a_sandbox_reaches_an_api_by_a_real_router_and_never_sees_the_credential(
    tmp_path: Path, site: Site
) -> None:
    site.answer = lambda asked: plain(b"echo: " + asked.headers["authorization"].encode())
    async with rig(tmp_path / "data") as running:
        apis = Apis(running, site)
        await apis.put_secret("planted-value")
        base_url = f"http://127.0.0.7:{site.port}"
        await apis.put(base_url=base_url, allow=["GET /v1/*"], call_price_microusd=70, description="Finds")
    home = Home(tmp_path / "data")
    (home.tokens / "worker").write_text(works.TOKEN)
    asking = "; ".join(
        f"curl -sS http://inference.local/apis{path}; echo" for path in ("", "/search/v1/find", "/search/v2")
    )
    bench = Bench(home, Work(), Door(), Options(name="bench", drain_seconds=0, router_wait_seconds=3))
    until = int(time.time()) + 600
    run = RunClaims("runs/r1", "agents/scribe", "", ("fake/small",), 1, until)
    named = RunClaims("", "agents/scribe", "", (), 0, until, apis=("search",))
    tokens = [sign_run_token(home.key("run.key"), claims) for claims in (run, named)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(works.serving(bench.work, home.socket("control.sock")))
        app = await stack.enter_async_context(serving(home, RouterOptions(port=0, embedded=False), {}, None))
        await stack.enter_async_context(bench.worker())
        policy = order("apis: [search]\n", secrets_token=tokens[1])
        name = await bench.run(*execs(asking), policy=policy, run_token=tokens[0])
        ending = await bench.work.outcome(name)
        (row,) = await app.ledger.rows(Filter(), after=None, limit=9)
    listed, found, refused = results(ending)[0].splitlines()[:3]
    assert json.loads(listed)["apis"][0]["description"] == "Finds"
    assert found == "echo: Bearer [redacted]"
    assert json.loads(refused)["error"]["code"] == "path_not_allowed"
    assert site.asked[0].headers["authorization"] == "Bearer planted-value"
    assert (row.model, row.agent, row.cost_microusd, row.outcome) == ("apis/search", "agents/scribe", 70, "answered")
    record = b"".join(event.SerializeToString() for event in bench.work.events[name])
    assert b"planted-value" not in record
    assert [one.model_call_finished.usage.cost_microusd for one in bench.work.of(name, "model_call_finished")] == [
        0,
        70,
        0,
    ]

"""APIs as an agent calls them: from inside its sandbox, without a credential, and in the record like its models."""

import json

from tests.fakes.door import json_answer
from tests.fakes.work import order
from tests.integration.worker.conftest import Bench, execs, results

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

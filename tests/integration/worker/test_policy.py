"""Runs under policies on a real worker: what they reach, run and see, and what changes while they go on."""

import asyncio
import json

import pytest

from signet.v1 import policies_pb2, runs_pb2, sandboxes_pb2
from tests.fakes.door import json_answer
from tests.fakes.site import Asked, Site
from tests.fakes.work import grant, order
from tests.integration.worker.conftest import HOST, Bench, execs, results, told

FAILED, SUCCEEDED = runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_SUCCEEDED
SECRET = "sk-the-real-value"


def reaching(site: Site, more: str = "", path: str = "") -> str:
    """Write a policy that lets the site through."""
    rules = f", rules: [{{method: GET, path: {path}}}]" if path else ""
    endpoint = f'{{host: "{HOST}", port: {site.port}, allowed_ips: [{HOST}]{rules}}}'
    return f"network:\n  site:\n    endpoints: [{endpoint}]\n{more}"


async def test_a_run_reaches_what_its_policy_lets_through_and_nothing_else(bench: Bench, site: Site) -> None:
    denied = await Site().start(host=HOST)
    allowed, other = f"http://{HOST}:{site.port}/a", f"http://{HOST}:{denied.port}/b"
    async with bench.worker():
        run = await bench.run(*execs(f"curl -s {allowed}", f"curl -s {other}"), policy=order(reaching(site)))
        ending = await bench.work.outcome(run)
    await denied.aclose()
    first, second = results(ending)
    assert "hello from the site" in first
    assert "policy_denied" in second
    assert (len(site.asked), denied.connections) == (1, 0)
    decided = [event.egress_decided for event in bench.work.of(run, "egress_decided")]
    assert [(one.host, one.port, one.verdict, one.rule) for one in decided] == [
        (HOST, site.port, "allow", "network.site.endpoints[0]"),
        (HOST, denied.port, "deny", "default"),
    ]
    assert all(one.count == 1 and one.binary.startswith("/usr/bin/curl") for one in decided)


async def test_no_run_is_shown_the_data_home(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(*execs("ls"), policy=order(f"filesystem: {{read_only: [{bench.home.keys}]}}\n"))
        ending = await bench.work.outcome(run)
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert f"filesystem.read_only names {bench.home.keys}" in ending.error.message


async def test_repeated_decisions_are_counted_in_one_event(bench: Bench, site: Site) -> None:
    again = f"for i in 1 2 3 4 5; do curl -s http://{HOST}:{site.port}/; done"
    async with bench.worker():
        run = await bench.run(*execs(again), policy=order("description: nothing\n"))
        await bench.work.outcome(run)
    decided = [event.egress_decided for event in bench.work.of(run, "egress_decided")]
    assert len(decided) == 2
    assert sum(one.count for one in decided) == 5


async def test_another_policy_closes_a_live_connection_at_once(bench: Bench, site: Site) -> None:
    begun = asyncio.Event()

    async def endless(_: Asked) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    site.answer = endless
    async with bench.worker():
        run = await bench.run(*execs(f"curl -s http://{HOST}:{site.port}/; echo over"), policy=order(reaching(site)))
        await begun.wait()
        newer = order("description: nothing any more\n", version=2)
        bench.work.direct(load_policy=newer)
        ending = await bench.work.outcome(run)
    assert results(ending)[0].startswith("over")
    [loaded] = [event.policy_loaded for event in bench.work.of(run, "policy_loaded")]
    assert (loaded.version, loaded.digest, loaded.closed) == (2, newer.policy.digest, 1)


async def test_a_newer_policy_opens_a_way_without_a_new_sandbox(bench: Bench, site: Site) -> None:
    url = f"http://{HOST}:{site.port}/"
    async with bench.worker():
        run = await bench.run(
            *execs(f"curl -s {url}", "while ! test -e go; do sleep 0.01; done", f"curl -s {url}"), policy=order("")
        )
        await bench.work.seen(run, "tool_call_finished")
        bench.work.direct(load_policy=order(reaching(site), version=2))
        await bench.work.seen(run, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
    first, _, last = results(ending)
    assert "policy_denied" in first
    assert "hello from the site" in last


async def test_an_idle_sandbox_has_the_newer_policy_too_and_is_used_again(bench: Bench, site: Site) -> None:
    newer = order(reaching(site), version=2)
    async with bench.worker():
        first = await bench.run("finish", policy=order(""))
        await bench.work.outcome(first)
        bench.work.direct(load_policy=newer)
        shown = await told(bench, lambda one: one.policy_digest == newer.policy.digest)
        run = await bench.run(*execs(f"curl -s http://{HOST}:{site.port}/"), policy=newer)
        ending = await bench.work.outcome(run)
    assert "hello from the site" in results(ending)[0]
    assert (shown.outdated, shown.state) == (False, sandboxes_pb2.SANDBOX_STATE_IDLE)
    assert bench.work.of(run, "sandbox_opened")[0].sandbox_opened.warm
    assert not bench.work.of(run, "policy_loaded")


async def test_what_is_static_of_a_newer_policy_needs_a_new_sandbox_and_the_next_run_has_it(bench: Bench) -> None:
    newer = order("filesystem: {workspace: read-only}\n", version=2)
    async with bench.worker():
        first = await bench.run("finish", policy=order(""))
        await bench.work.outcome(first)
        bench.work.direct(load_policy=newer)
        old = await told(bench, lambda one: one.outdated)
        run = await bench.run(*execs("echo x > file || echo refused"), policy=newer)
        ending = await bench.work.outcome(run)
    assert "refused" in results(ending)[0]
    assert not bench.work.of(run, "sandbox_opened")[0].sandbox_opened.warm
    assert old.policy_version == newer.policy.version


async def test_a_bad_policy_changes_nothing_and_is_reported(bench: Bench, site: Site) -> None:
    bad = order("", version=2)
    bad.policy.document = '{"version":1,"nonsense":true}'
    async with bench.worker():
        first = await bench.run("finish", policy=order(reaching(site)))
        await bench.work.outcome(first)
        bench.work.direct(load_policy=bad)
        shown = await told(bench, lambda one: bool(one.policy_problem))
        run = await bench.run(*execs(f"curl -s http://{HOST}:{site.port}/"), policy=order(reaching(site)))
        ending = await bench.work.outcome(run)
    assert (shown.policy_problem_version, shown.policy_version) == (2, 1)
    assert "nonsense" in shown.policy_problem
    assert "hello from the site" in results(ending)[0]


async def test_a_run_whose_policy_cannot_be_read_does_not_begin(bench: Bench) -> None:
    bad = order("")
    bad.policy.document = "{}x"
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run("finish", policy=bad))
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert "policy" in ending.error.message


async def test_control_is_answered_with_what_it_says_is_lacking(bench: Bench, site: Site) -> None:
    newer = order(reaching(site), version=2)
    async with bench.worker():
        run = await bench.run("hang", policy=order(""))
        await told(bench, lambda one: one.run == run)
        bench.work.lacking.append(newer)
        bench.work.direct(load_policy=order("description: only to have it reported again\n", version=1))
        versions = [event.policy_loaded.version for event in await bench.work.seen(run, "policy_loaded", 2)]
        bench.work.direct(cancel_run=run)
        await bench.work.outcome(run)
    assert versions == [1, 2]


async def test_a_grant_for_a_run_reaches_that_run_alone(bench: Bench) -> None:
    text = "commands: {default: deny}\n"
    command = policies_pb2.Ask(command=policies_pb2.CommandAsk(command="echo let through"))
    holding = [
        ["call", "a", "exec", {"command": "echo let through"}],
        ["take", 1],
        ["hold", "go"],
        *execs("echo let through"),
    ]
    async with bench.worker():
        run = await bench.run(*holding, policy=order(text))
        await bench.work.seen(run, "tool_call_finished")
        granted = order(text, grant(command, run), version=2)
        bench.work.direct(load_policy=granted)
        await bench.work.seen(run, "policy_loaded")
        other = await bench.work.outcome(await bench.run(*execs("echo let through"), policy=granted))
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
        later = await bench.work.outcome(await bench.run(*execs("echo let through"), policy=granted))
    before, after = results(ending)
    assert "denied" in before
    assert after.startswith("let through")
    assert all("denied" in results(end)[0] for end in (other, later))


async def test_a_way_out_that_was_granted_to_a_run_is_closed_for_the_next_in_the_same_sandbox(
    bench: Bench, site: Site
) -> None:
    """How far a connection comes shows whether it was let through: the site's address is none that a grant opens."""
    ask = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host=HOST, port=site.port))
    curl = f"curl -s http://{HOST}:{site.port}/"
    async with bench.worker():
        first = await bench.run(["hold", "go"], *execs(curl), policy=order(""))
        await bench.work.seen(first, "sandbox_opened")
        granted = order("", grant(ask, first))
        bench.work.direct(load_policy=granted)
        await bench.work.seen(first, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        mine = results(await bench.work.outcome(first))[0]
        second = await bench.run(*execs(curl), policy=granted)
        others = results(await bench.work.outcome(second))[0]
    assert bench.work.of(second, "sandbox_opened")[0].sandbox_opened.warm
    assert "a loopback address" in mine
    assert "nothing lets" in others


async def test_a_command_too_long_to_be_looked_at_at_once_is_reviewed_all_the_same(bench: Bench) -> None:
    async with bench.worker():
        long = "; ".join(["true"] * 9000)
        run = await bench.run(*execs(f"{long}; rm x", long), policy=order("commands: {deny: ['rm *']}\n"))
        denied, let = results(await bench.work.outcome(run))
    assert "commands.deny[0]" in denied
    assert "Exit code 0" in let


async def test_a_grant_of_the_agent_lets_its_very_command_through(bench: Bench) -> None:
    command = policies_pb2.Ask(command=policies_pb2.CommandAsk(command="echo let through"))
    policy = order("commands: {default: deny}\n", grant(command))
    async with bench.worker():
        run = await bench.run(*execs("echo let through", "echo let  through"), policy=policy)
        ending = await bench.work.outcome(run)
    first, second = results(ending)
    assert first.startswith("let through")
    assert "denied by the agent's policy" in second


async def test_a_denied_command_never_runs_and_the_model_is_told_what_is_right(bench: Bench) -> None:
    policy = order("commands: {deny: ['rm *']}\n")
    async with bench.worker():
        run = await bench.run(*execs("touch kept", "rm kept", "ls"), policy=policy)
        ending = await bench.work.outcome(run)
    _, denied, listed = results(ending)
    assert "commands.deny[0]" in denied
    assert "kept" in listed
    verdicts = [event.tool_call_started.verdict for event in bench.work.of(run, "tool_call_started")]
    assert (verdicts[0], verdicts[2]) == ("allow", "allow")
    assert verdicts[1] == denied


async def test_under_audit_a_command_runs_and_the_record_says_that_it_would_be_denied(bench: Bench) -> None:
    policy = order("enforcement: audit\ncommands: {deny: ['echo *']}\n")
    async with bench.worker():
        run = await bench.run(*execs("echo hello"), policy=policy)
        ending = await bench.work.outcome(run)
    assert results(ending)[0].startswith("hello")
    [notice] = [event.notice for event in bench.work.of(run, "notice")]
    assert notice.code == "command_audit"
    assert "commands.deny[0]" in notice.message


async def test_a_secret_reaches_its_host_and_is_never_seen_inside(bench: Bench, tls_site: Site) -> None:
    lent = f'{{secret: site-token, env: SITE_TOKEN, host: "{HOST}", port: {tls_site.port}}}'
    policy = order(reaching(tls_site, f"secrets:\n  site: {lent}\n"), secrets_token="sgr_lends")
    bench.door.answers = [json_answer(json.dumps({"value": SECRET}).encode())]
    call = f'curl -s -H "authorization: Bearer $SITE_TOKEN" https://{HOST}:{tls_site.port}/; echo $SITE_TOKEN > seen'
    async with bench.worker():
        run = await bench.run(*execs(call)[:-1], ["snoop", SECRET[::-1], "sgr_lends"[::-1]], "finish", policy=policy)
        ending = await bench.work.outcome(run)
    assert tls_site.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    [asked] = bench.door.asked
    assert (asked.line, asked.header("authorization")) == (
        "POST /signet/v1/secrets/site-token HTTP/1.1",
        ["Bearer sgr_lends"],
    )
    snooped = json.loads(ending.output)[1]
    assert snooped["found"] == []
    assert snooped["places"] > 5
    seen = (bench.home.workspaces / "scribe" / "seen").read_text()
    assert seen.startswith("signet:secret:site:")
    assert SECRET not in b"".join(event.SerializeToString() for event in bench.work.events[run]).decode("latin-1")


async def test_a_secret_that_a_newer_policy_lends_is_there_for_the_next_call(bench: Bench, site: Site) -> None:
    lent = f'{{secret: site-token, env: SITE_TOKEN, host: "{HOST}", port: {site.port}}}'
    async with bench.worker():
        run = await bench.run(
            *execs("while ! test -e go; do sleep 0.01; done", "echo $SITE_TOKEN"), policy=order(reaching(site))
        )
        await bench.work.seen(run, "tool_call_started")
        bench.work.direct(load_policy=order(reaching(site, f"secrets:\n  site: {lent}\n"), version=2))
        await bench.work.seen(run, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        ending = await bench.work.outcome(run)
    assert results(ending)[1].startswith("signet:secret:site:")


async def test_a_strict_agents_tool_calls_have_sandboxes_of_their_own(bench: Bench, site: Site) -> None:
    """They share the workspace and its policy, and nothing else; none of them outlives its call."""
    policy = order(reaching(site, "tier: strict\n"))
    async with bench.worker():
        run = await bench.run(
            *execs(
                "hostname; echo kept > shared; touch /tmp/private; (sleep 3600 &) ; ls /proc | grep -c '^[0-9]'",
                "hostname; cat shared; ls /tmp; pgrep sleep",
                f"curl -s http://{HOST}:{site.port}/",
                "cp /bin/true mine; ./mine || echo refused",
            ),
            policy=policy,
        )
        ending = await bench.work.outcome(run)
    first, second, third, fourth = results(ending)
    names = {text.split()[0] for text in (first, second)}
    assert len(names) == 2
    assert "kept" in second
    assert "private" not in second
    assert "hello from the site" in third
    assert "refused" in fourth
    opened = bench.work.of(run, "sandbox_opened")[0].sandbox_opened
    assert opened.sandbox not in names
    assert all(name.startswith(f"{opened.sandbox}-") for name in names)
    assert [event.egress_decided.verdict for event in bench.work.of(run, "egress_decided")] == ["allow"]


async def test_a_live_connection_of_a_strict_tool_call_is_closed_by_another_policy_too(
    bench: Bench, site: Site
) -> None:
    begun = asyncio.Event()

    async def endless(_: Asked) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    site.answer = endless
    policy = order(reaching(site, "tier: strict\n"))
    async with bench.worker():
        run = await bench.run(*execs(f"curl -s http://{HOST}:{site.port}/; echo over"), policy=policy)
        await begun.wait()
        bench.work.direct(load_policy=order("tier: strict\n", version=2))
        ending = await bench.work.outcome(run)
    assert results(ending)[0].startswith("over")
    assert bench.work.of(run, "policy_loaded")[0].policy_loaded.closed == 1


async def test_a_tier_that_this_worker_cannot_give_fails_the_run_with_the_reason(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never weakened."""
    monkeypatch.setenv("PATH", "/nowhere")
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run("finish", policy=order("tier: gvisor\n")))
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert "gvisor" in ending.error.message
    assert "runsc" in ending.error.message


async def test_the_wall_time_of_a_policy_ends_a_run(bench: Bench) -> None:
    async with bench.worker():
        ending = await bench.work.outcome(await bench.run("hang", policy=order("resources: {wall: 1s}\n")))
    assert (ending.outcome, ending.error.reason) == (FAILED, "DEADLINE_EXCEEDED")
    assert "resources.wall" in ending.error.message


async def test_a_workspace_that_takes_too_much_fails_the_run_and_says_what_to_do(bench: Bench) -> None:
    policy = order("resources: {disk: 64MiB}\n")
    fill = "i=0; while true; do head -c 8000000 /dev/zero > f$i; i=$((i+1)); done"
    async with bench.worker():
        run = await bench.run(*execs(fill), policy=policy)
        ending = await bench.work.outcome(run)
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert "resources.disk" in ending.error.message


async def test_a_sandbox_is_stopped_when_control_says_so_and_one_with_a_run_only_by_force(
    bench: Bench,
) -> None:
    async with bench.worker():
        run = await bench.run("hang")
        [opened] = await bench.work.seen(run, "sandbox_opened")
        name = f"sandboxes/bench.{opened.sandbox_opened.sandbox}"
        shown = await told(bench, lambda one: one.name == name)
        bench.work.direct(stop_sandbox={"sandbox": name})
        bench.work.direct(stop_sandbox={"sandbox": name, "force": True})
        ending = await bench.work.outcome(run)
        await bench.work.until(lambda: not bench.work.reports[-1].sandboxes)
    assert (ending.outcome, ending.error.reason) == (FAILED, "SANDBOX_FAILED")
    assert (shown.run, shown.state) == (run, sandboxes_pb2.SANDBOX_STATE_BUSY)

"""People beside runs: a run never begins where a person is, and what a person runs ends with the run it is beside."""

from signet.v1 import policies_pb2, sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.fakes.site import Site
from tests.fakes.work import Attached, grant, order
from tests.integration.worker.conftest import HOST, Bench, execs, results, told


async def visit(bench: Bench, ident: str, *argv: str) -> Attached:
    """Have a person run a command in the agent's sandbox."""
    stream = await bench.work.attach(work_pb2.AttachOrder(id=ident, target="agents/scribe", policy=order("")))
    start = sandboxes_pb2.ExecStart(target="agents/scribe", command=sandboxes_pb2.ExecCommand(argv=argv))
    stream.send.put_nowait(work_pb2.AttachResponse(exec=sandboxes_pb2.ExecSandboxRequest(start=start)))
    await bench.work.until(lambda: any(message.exec.started for message in stream.came))
    return stream


def exited(stream: Attached) -> list[sandboxes_pb2.ExecExit]:
    return [message.exec.exited for message in stream.came if message.exec.HasField("exited")]


async def test_a_run_never_begins_where_a_person_is(bench: Bench) -> None:
    async with bench.worker():
        person = await visit(bench, "one", "/bin/sh", "-c", "echo mine > /tmp/mine; exec cat")
        shown = await told(bench, lambda one: one.agent == "agents/scribe")
        run = await bench.run(*execs("ls /tmp"), policy=order(""))
        await bench.work.outcome(run)
        assert not exited(person)
        opened = bench.work.of(run, "sandbox_opened")[0].sandbox_opened
        person.send.put_nowait(work_pb2.AttachResponse(exec=sandboxes_pb2.ExecSandboxRequest(stdin_end=True)))
        await bench.work.until(lambda: bool(exited(person)))
    assert shown.state == sandboxes_pb2.SANDBOX_STATE_BUSY
    assert f"sandboxes/bench.{opened.sandbox}" != shown.name
    assert exited(person)[0].code == 0


async def test_what_a_person_runs_beside_a_run_ends_with_it_and_says_why(bench: Bench) -> None:
    async with bench.worker():
        run = await bench.run(["say", "on"], ["hold", "go"], "finish", policy=order(""))
        await bench.work.seen(run, "text")
        person = await visit(bench, "one", "/bin/sh", "-c", "touch go; exec sleep 3600")
        await bench.work.until(lambda: bool(exited(person)))
        await bench.work.outcome(run)
    assert exited(person)[0].code == 128 + 9
    assert "the run in the sandbox ended" in exited(person)[0].detail


async def test_what_was_granted_to_a_run_alone_is_not_a_persons_who_comes_after_it(bench: Bench, site: Site) -> None:
    ask = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host=HOST, port=site.port))
    curl = f"curl -s http://{HOST}:{site.port}/"
    async with bench.worker():
        run = await bench.run(["hold", "go"], *execs(curl), policy=order(""))
        await bench.work.seen(run, "sandbox_opened")
        bench.work.direct(load_policy=order("", grant(ask, run)))
        await bench.work.seen(run, "policy_loaded")
        (bench.home.workspaces / "scribe" / "go").touch()
        mine = results(await bench.work.outcome(run))[0]
        await told(bench, lambda one: one.agent == "agents/scribe" and not one.run)
        person = await visit(bench, "one", "/bin/sh", "-c", curl)
        await bench.work.until(lambda: bool(exited(person)))
    assert "a loopback address" in mine
    assert b"nothing lets" in b"".join(message.exec.stdout for message in person.came)

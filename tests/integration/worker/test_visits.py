"""People beside runs: a run never begins where a person is, and what a person runs ends with the run it is beside."""

from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.fakes.work import Attached, order
from tests.integration.worker.conftest import Bench, execs, told


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

"""`signet run`: one dispatch of an agent, from the command line or a pipe."""

import asyncio
import signal
import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from signet.cli import codes
from signet.cli.call import Call, leaf
from signet.cli.complete import AGENT, MODEL, SESSION
from signet.cli.text import given
from signet.cli.words import ident

if TYPE_CHECKING:
    from signet.cli.view.choose import View
    from signet.client import AsyncSignet
    from signet.v1.events_pb2 import RunEvent

_USAGE = '`signet run AGENT "…"`, or `… | signet run AGENT -`'


@dataclass(frozen=True)
class Order:
    """What is asked for; `seconds` is how long it may take, None for as long as the agent's own limit."""

    agent: str
    text: str
    session: str
    model: str
    seconds: float | None


@leaf("run", epilog='Examples: signet run assistant "Say hello" · cat log | signet run assistant "Explain this:" -')
@click.argument("agent", shell_complete=AGENT)
@click.argument("words", nargs=-1, metavar="[INPUT]...")
@click.option("--session", metavar="ID", default="", shell_complete=SESSION, help="Go on with this conversation.")
@click.option("--model", metavar="MODEL", default="", shell_complete=MODEL, help="Another model, for this run only.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Cancel it after so many seconds: exit 124."
)
@click.option("--stream/--no-stream", default=None, help="Write the answer while it grows; the default at a terminal.")
def run(
    call: Call,
    *,
    agent: str,
    words: tuple[str, ...],
    session: str,
    model: str,
    timeout: float | None,
    stream: bool | None,
) -> None:
    """Run AGENT once and print its answer.

    INPUT is the words given; `-` among them stands for standard input, which is read too when there are no words.
    With -o json one object follows: the finished run, with its record (digest, model exchanges, tool calls).
    With -o jsonl every event is a line, as it comes. Ctrl-C cancels the run.
    """
    from signet.cli.view.choose import choose

    order = Order(agent, given(words, usage=_USAGE), session, model, timeout)
    view = choose(call, streaming=sys.stdout.isatty() if stream is None else stream, lines=("jsonl",))
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGHUP, _terminated)
    sys.exit(asyncio.run(_run(call, order, view)))


async def _run(call: Call, order: Order, view: "View") -> int:
    async with call.asynchronous() as signet:
        last = await _follow(call, signet, order, view)
        if call.output in {"json", "yaml", "name"}:
            await _print(call, signet, last.run)
    return codes.BY_OUTCOME.get(last.finished.outcome, codes.FAILED)


async def _follow(call: Call, signet: "AsyncSignet", order: Order, view: "View") -> "RunEvent":
    """Show the events of the run and give the last."""
    from signet.cli.view.choose import shown
    from signet.kit.errors import DeadlineExceeded
    from signet.v1.events_pb2 import RunEvent

    last = RunEvent()
    try:
        async with asyncio.timeout(order.seconds), shown(view):
            run = signet.run(order.agent, order.text, session=order.session, model=order.model)
            async with aclosing(run) as events:
                async for event in events:
                    view.show(event)
                    last = event
    except asyncio.CancelledError:  # the view has let go of the terminal by now
        if last.run:
            call.say(f"cancelled; what it did until then: signet runs show {ident(last.run)}")
        raise
    except TimeoutError as error:
        message = f"the run did not end within {order.seconds:g} s and was cancelled"
        raise DeadlineExceeded("DEADLINE_EXCEEDED", message, hint="give it longer with --timeout") from error
    return last


async def _print(call: Call, signet: "AsyncSignet", name: str) -> None:
    from signet.cli.output import emit
    from signet.cli.shape import run_shape

    run = await signet.runs.get(name)
    emit(call, run, str, shape=run_shape(run, await signet.runs.record(name)))


def _terminated(number: int, frame: Any) -> None:
    """Leave by an exception, so that the run is cancelled on the way out."""
    del frame
    sys.exit(128 + number)

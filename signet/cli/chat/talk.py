"""A conversation: a message, a turn, and again, until the person leaves."""

import asyncio
import signal
import sys
from contextlib import aclosing
from typing import Self

import click

from signet.cli import codes
from signet.cli.call import Call
from signet.cli.chat.reader import Left, Lines, Prompt, Reader
from signet.cli.clean import cleaned
from signet.cli.failure import Failure
from signet.cli.model import described
from signet.cli.resolve import session_name_async
from signet.cli.table import columns
from signet.cli.view.choose import choose, shown
from signet.cli.view.phrases import cut
from signet.cli.words import ago, dim, ident, shortened
from signet.client import AsyncSignet
from signet.kit.errors import InvalidArgument, SignetError
from signet.v1.sessions_pb2 import Session

_HELP = {
    "/help": "this",
    "/new": "begin another conversation",
    "/sessions": "list your conversations with this agent; `/sessions 2` goes on with the second",
    "/show": "what happened in the last turn, with its stamp, tokens and cost",
    "/quit": "leave, as Ctrl-D does",
}
_KEYS = "Enter sends · Alt-Enter or Esc Enter: another line · Ctrl-C stops an answer · Ctrl-D leaves"
_LISTED = 20
_SAID = ("demonstration_model",)  # by the greeting; once is enough


class Talk:
    """One person's talk with one agent. The session is made with its first message."""

    def __init__(self, call: Call, signet: AsyncSignet, agent: str, model: str) -> None:
        self._call = call
        self._signet = signet
        self._agent = agent
        self._model = model
        self._session = ""
        self._listed: list[Session] = []
        self._last_run = ""

    @classmethod
    async def hold(cls, call: Call, agent: str, session: str, model: str) -> int:
        """Talk until the person leaves. Gives the exit code. Raises SignetError where the talk cannot begin."""
        async with call.asynchronous() as signet:
            talk = cls(call, signet, agent, model)
            await talk.begin(session)
            return await talk.go_on(talk.reader())

    def reader(self) -> Reader:
        """Choose: a prompt for a person, lines for a pipe."""
        if sys.stdin.isatty() and self._call.lively and self._call.output == "table":
            return Prompt(self._signet.fleet.home.root, _HELP)
        return Lines()

    async def begin(self, session: str) -> Self:
        """See that the agent is there, and greet."""
        if session:
            found = await self._signet.sessions.get(await session_name_async(self._signet, session))
            self._agent, self._session = found.agent, found.name
        agent = await self._signet.agents.get(self._agent)
        self._agent = agent.name
        await self._greet(self._model or agent.model)
        if session:
            await self._recall()
        return self

    async def go_on(self, reader: Reader) -> int:
        """Take messages until the person leaves."""
        while True:
            try:
                text = (await reader.read()).strip()
            except Left:
                return codes.OK
            except UnicodeDecodeError as error:
                what = f"byte {error.start + 1} of the line is 0x{error.object[error.start]:02x}"
                self._complain(InvalidArgument("INVALID_FIELD", f"the line is not UTF-8: {what}"))
                return codes.USAGE
            except OverflowError as error:
                self._complain(InvalidArgument("INVALID_FIELD", str(error)))
                return codes.USAGE
            if text == "/quit":
                return codes.OK
            if text:
                await self._answer(text)

    async def _answer(self, text: str) -> None:
        """Do a slash command, or a turn. What fails is shown, and the talk goes on."""
        try:
            if text.startswith("/") and not text.startswith("//"):
                await self._command(*text.split(maxsplit=1))
            else:
                await self._interruptible(text.removeprefix("/") if text.startswith("//") else text)
        except SignetError as error:
            self._complain(error)

    async def _interruptible(self, text: str) -> None:
        """Do a turn that Ctrl-C stops."""
        loop = asyncio.get_running_loop()
        turn = asyncio.create_task(self._turn(text))
        loop.add_signal_handler(signal.SIGINT, turn.cancel)
        try:
            await asyncio.wait([turn])
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            turn.cancel()
        if turn.cancelled():
            self._call.say(click.style("■ stopped", fg="yellow"))
        else:
            turn.result()

    async def _turn(self, text: str) -> None:
        if not self._session:
            self._session = (await self._signet.sessions.create(self._agent)).name
        view = choose(self._call, streaming=self._call.lively, lines=("json", "jsonl"), hushed=_SAID)
        run = self._signet.run("", text, session=self._session, model=self._model)
        async with shown(view), aclosing(run) as events:
            async for event in events:
                self._last_run = event.run
                view.show(event)

    async def _command(self, name: str, argument: str = "") -> None:
        if name == "/help":
            width = max(map(len, _HELP))
            lines = [f"{click.style(word.ljust(width), bold=True)}  {meaning}" for word, meaning in _HELP.items()]
            self._call.say("\n".join([*lines, dim(_KEYS), dim("A message that begins with / is written with //.")]))
        elif name == "/new":
            self._session = ""
            self._call.say(dim("a new conversation; the other one is in /sessions"))
        elif name == "/sessions":
            await self._sessions(argument)
        elif name == "/show":
            await self._show()
        else:
            raise InvalidArgument("INVALID_FIELD", f"there is no {name}", hint="/help lists the commands")

    async def _sessions(self, argument: str) -> None:
        if not argument:
            page = await self._signet.sessions.list(agent=self._agent, page_size=_LISTED).page()
            self._listed = [cleaned(session) for session in page.sessions]
            self._call.say(_laid_out(self._listed, self._session))
            return
        if argument.isdecimal() and 1 <= int(argument) <= len(self._listed):
            name = self._listed[int(argument) - 1].name
        else:
            name = await session_name_async(self._signet, argument)
        self._session = (await self._signet.sessions.get(name)).name
        await self._recall()

    async def _recall(self) -> None:
        """Show where the conversation stood."""
        runs = (await self._signet.runs.list(session=self._session, page_size=1).page()).runs
        self._call.say(dim(f"going on with {ident(self._session)}"))
        for run in map(cleaned, runs):
            self._call.say(f"{click.style('▸', fg='cyan')} {cut(run.input)}")
            self._call.say(cut(run.output, 600))

    async def _show(self) -> None:
        from signet.cli.timeline import page

        if not self._last_run:
            self._call.say(dim("nothing was said yet"))
            return
        record = cleaned(await self._signet.runs.record(self._last_run))
        click.echo(page(record, full=False), color=self._call.color)

    async def _greet(self, model: str) -> None:
        try:
            found = await self._signet.models.get(model)
        except SignetError:
            found = None  # the turn will say what is wrong with it
        head = f"{click.style(ident(self._agent), bold=True)} · {described(model, found)}"
        self._call.say(head)
        if sys.stdin.isatty():
            self._call.say(dim(f"{_KEYS} · /help"))
        if found is not None and found.profile.demonstration:
            note = "! a demonstration model, too small for real work; a real one: signet provider add --help"
            self._call.say(click.style(note, fg="yellow"))

    def _complain(self, error: SignetError) -> None:
        Failure.of(error).show(as_json=self._call.output in {"json", "jsonl"}, color=self._call.color)


def _laid_out(sessions: list[Session], current: str) -> str:
    names = shortened(session.name for session in sessions)
    rows = [
        (
            f"{index}{' *' if session.name == current else ''}",
            names[session.name],
            ago(session.update_time),
            session.title,
        )
        for index, session in enumerate(sessions, 1)
    ]
    return columns(("", "ID", "ACTIVE", "TITLE"), rows, empty="no conversation yet")

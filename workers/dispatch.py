"""Tool calls: each allowed one is a process of its own in the run's sandbox, several at a time."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from signet.kit.log import Log
from signet.policy.decision import Decision
from signet.v1 import events_pb2
from workers import gate, questions
from workers.cell import Cell
from workers.control import LeaseLost
from workers.frames import BadFrame, Frames, LineTooLong, pair
from workers.guest import Guest
from workers.place import Place
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.process import Process
from workers.sandbox.spec import Entry
from workers.text import clean, cut, pieces
from workers.upload import MERGED_CHARACTERS, Rejected

HOST = Entry("workers.tools.host:main")
AT_ONCE = 8
"""Calls of one run that run at a time; later ones wait."""
OUTSTANDING = 64
"""Calls that may wait or run, or whose results the runtime has not taken; one more is a flood."""
SHORT_CHARACTERS = 4096
"""Most of a call's arguments that are looked at in the loop itself."""
RESULT_BYTES = 1024 * 1024
SHOWN_CHARACTERS = 256 * 1024
"""Most of a call's output that becomes events while it runs."""
WRITTEN_CHARACTERS = 64 * 1024 * 1024
"""Most output that a call may write before it is killed."""
OUTPUT_BYTES = 256 * 1024
"""What a tool is told to keep its result to."""
CUT = "\n[The result was cut here.]"
DEATH_SECONDS = 2.0
GRACE_SECONDS = 10.0
"""How much later than its bound a call is killed that does not keep the bound by itself."""

Reply = Callable[[Mapping[str, Any]], Awaitable[None]]


class TooManyCalls(Exception):
    """The runtime asked for more calls than it takes results of."""


class NoResult(Exception):
    """A call has none; says why, for the model."""


@dataclass(frozen=True)
class Outcome:
    """What the model is given back."""

    text: str
    is_error: bool


class Dispatcher:
    """The tool calls of one run. `reply` gives the runtime a result."""

    def __init__(
        self,
        cell: Cell,
        guest: Guest,
        offered: Mapping[str, Mapping[str, Any]],
        reply: Reply,
        *,
        seconds: int,
        log: Log,
    ) -> None:
        self._cell = cell
        self._guest = guest
        self._seconds = seconds
        self._log = log
        self._uploader = guest.uploader
        self._offered = offered
        self._reply = reply
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._judging = asyncio.Lock()
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._why = "the run ended"

    def call(self, call: gate.Call) -> None:
        """Begin a call. Raises TooManyCalls, and BadFrame for an id in use."""
        if call.id in self._calls:
            raise BadFrame("the id of a tool call is in use")
        if len(self._calls) >= OUTSTANDING:
            raise TooManyCalls
        task = asyncio.create_task(self._do(call))
        self._calls[call.id] = task
        task.add_done_callback(lambda _: self._calls.pop(call.id, None))

    async def close(self, why: str) -> None:
        """End the calls that are not done, as errors that say why."""
        self._why = why
        tasks = list(self._calls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, call: gate.Call) -> None:
        with contextlib.suppress(LeaseLost, Rejected):  # the writer ended: the run's own task hears of it
            under = self._cell.permissions
            verdict = await self._judge(call)
            if verdict.asked:
                verdict = await self._asked_for(call, verdict.asked)
            async with self._slots:
                if verdict.allowed and self._cell.permissions is not under:
                    verdict = await self._again(call, verdict)
                outcome = await self._recorded(call, verdict)
            await self._reply(
                {"type": "tool_result", "id": call.id, "content": outcome.text, "is_error": outcome.is_error}
            )

    async def _judge(self, call: gate.Call) -> gate.Verdict:
        """Decide on a call; on a long one beside the loop, one at a time, for that can take half a second."""
        parts = call, self._offered, self._cell.permissions.policy, self._cell.grants
        if len(call.text) <= SHORT_CHARACTERS:
            return gate.judge(*parts)
        async with self._judging:
            return await asyncio.to_thread(gate.judge, *parts)

    async def _asked_for(self, call: gate.Call, decision: Decision) -> gate.Verdict:
        """Ask a person for a call; the run's clock stands still until there is an answer."""
        question = questions.of_command(gate.command(call), self._cell.permissions.policy, self._cell.agent)
        with self._guest.wall.standing():
            answer = await self._guest.questions.ask(question)
        if answer.yes:
            return gate.Verdict(allowed=True, reason=gate.ALLOW)
        return gate.Verdict(allowed=False, reason=gate.denied(decision, answer.why))

    async def _again(self, call: gate.Call, verdict: gate.Verdict) -> gate.Verdict:
        """Decide again on a call that waited while another policy came in force. A person's yes still holds."""
        anew = await self._judge(call)
        return verdict if anew.asked else anew

    async def _recorded(self, call: gate.Call, verdict: gate.Verdict) -> Outcome:
        """Run a call between its two events."""
        arguments = call.text if len(call.text.encode()) <= gate.ARGUMENTS_BYTES else "{}"
        self._uploader.add(
            tool_call_started=events_pb2.ToolCallStarted(
                id=call.id, tool=clean(call.tool), arguments=arguments, verdict=clean(verdict.reason)
            )
        )
        if verdict.audit:
            message = f"The tool call {call.id} would be denied under enforcement: {verdict.audit}"
            self._uploader.add(notice=events_pb2.Notice(code="command_audit", message=clean(message)))
        began = time.monotonic()
        outcome = Outcome(self._why, is_error=True)
        try:
            outcome = await self._placed(call) if verdict.allowed else Outcome(verdict.reason, is_error=True)
        except asyncio.CancelledError:
            outcome = Outcome(self._why, is_error=True)
            raise
        except (LeaseLost, Rejected):
            raise
        except Exception as error:  # noqa: BLE001 - else the runtime would wait for the result until the run's end
            outcome = Outcome(f"A fault of the worker ({type(error).__name__}); its log has more.", is_error=True)
            self._log.error("tool_call_failed", tool=clean(call.tool), kind=type(error).__name__, message=str(error))
        finally:
            self._uploader.add(
                tool_call_finished=events_pb2.ToolCallFinished(
                    id=call.id,
                    result=outcome.text,
                    is_error=outcome.is_error,
                    duration_micros=int((time.monotonic() - began) * 1e6),
                )
            )
        await self._uploader.room()
        return outcome

    async def _placed(self, call: gate.Call) -> Outcome:
        """Run a call in the cell, or in a sandbox of its own where the tier says so."""
        try:
            async with self._cell.tool() as place:
                return await self._run(place, call)
        except SandboxUnavailable as error:
            return Outcome(f"The tool could not be started: {error}", is_error=True)

    async def _run(self, place: Place, call: gate.Call) -> Outcome:
        """Run the tool's process, and kill it where it gives no result."""
        ours, theirs = pair()
        frames = Frames(ours)
        process: Process | None = None
        done = False
        try:
            with theirs:
                process = await self._begin(place, theirs.fileno())
            outcome = await self._told(frames, process, call)
            done = True
        except (SandboxUnavailable, OSError) as error:
            return Outcome(f"The tool could not be started: {error}", is_error=True)
        except NoResult as error:
            return Outcome(str(error), is_error=True)
        finally:
            if process and not done:
                await process.signal(signal.SIGKILL)
            frames.close()
        return outcome

    async def _begin(self, place: Place, fd: int) -> Process:
        """Start the process; it is told what to do only once the begin of the call is durable."""
        committed = asyncio.ensure_future(self._uploader.commit())
        try:
            process = await place.start(HOST, fds={3: fd})
        except BaseException:
            committed.cancel()
            raise
        await committed
        return process

    async def _told(self, frames: Frames, process: Process, call: gate.Call) -> Outcome:
        limits = {"seconds": self._seconds, "output_bytes": OUTPUT_BYTES}
        try:
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                await frames.send({"tool": call.tool, "arguments": call.arguments, "limits": limits})
                return await self._listen(frames, process, call)
        except (LineTooLong, BadFrame) as error:
            raise NoResult("The tool's process wrote nonsense in place of a result, and was killed.") from error
        except TimeoutError as error:
            raise NoResult(f"The call was not done after {self._seconds} s, and was killed.") from error

    async def _listen(self, frames: Frames, process: Process, call: gate.Call) -> Outcome:
        written = 0
        while (frame := await frames.receive()) is not None:
            result, output = frame.get("result"), frame.get("output")
            if isinstance(result, str):
                text = cut(result, RESULT_BYTES - len(CUT), CUT)
                return Outcome(text, is_error=frame.get("is_error") is True)
            if not isinstance(output, str):
                raise BadFrame("neither output nor result")
            self._show(call.id, output, written)
            written += len(output)
            if written > WRITTEN_CHARACTERS:
                raise NoResult(f"The call wrote more than {WRITTEN_CHARACTERS} characters, and was killed.")
            await self._uploader.room()
        async with asyncio.timeout(DEATH_SECONDS):
            code = await process.wait()
        raise NoResult(
            f"The tool's process ended without a result ({f'signal {-code}' if code < 0 else f'code {code}'})."
        )

    def _show(self, ident: str, output: str, written: int) -> None:
        """Make events of output, up to a bound."""
        left = SHOWN_CHARACTERS - written
        for piece in pieces(output[: max(left, 0)], MERGED_CHARACTERS):
            self._uploader.add(tool_output=events_pb2.ToolOutput(id=ident, text=piece))
        if 0 <= left < len(output):
            message = (
                f"More output of the tool call {ident} than {SHOWN_CHARACTERS} characters is not shown as it comes."
            )
            self._uploader.add(notice=events_pb2.Notice(code="output_cut", message=message))

"""The runtime `builtin`: one run for each process, spoken over fd 3.

Standard library only, and nothing is imported after this module is: it is loaded once and forked for every run.
"""

import contextlib
import os
import sys
import traceback

from workers.runtimes.builtin.demonstration import Demonstration
from workers.runtimes.builtin.failure import RunFailed
from workers.runtimes.builtin.frames import LINE_BYTES, BadFrame, Channel, Output, WorkerGone, encode
from workers.runtimes.builtin.loop import Finish, Loop
from workers.runtimes.builtin.model import Model
from workers.runtimes.builtin.task import Task

FD = 3
"""The socket to the worker."""


def main() -> None:
    """Do the run that the worker sends, answer with `finish` or `fail`, return. A worker that is gone ends it."""
    output = Output(Channel(FD))
    try:
        serve(output)
    except WorkerGone:
        pass
    except BadFrame as error:
        fail(output, RunFailed("INTERNAL", f"The worker and the runtime do not understand each other: {error}."))
    except Exception as error:  # noqa: BLE001 - the last line: the run ends with a reason, the trace goes to the log
        traceback.print_exc(file=sys.stderr)
        fail(
            output, RunFailed("INTERNAL", f"A fault of the runtime ({type(error).__name__}); the worker's log has it.")
        )
    finally:
        os.close(FD)


def serve(output: Output) -> None:
    """Read the run, do it, write how it ended."""
    try:
        task = Task.parse(output.channel.read())
        model = Model(task.base_url, task.model, task.deadlines)
        run = Demonstration(task, model, output) if task.by_embedding else Loop(task, model, output)
        finish(output, run.run())
    except RunFailed as failed:
        fail(output, failed)


def finish(output: Output, result: Finish) -> None:
    """Write the `finish` frame; where it would be too long, tool results are left out of the session, oldest first."""
    messages = result.messages
    frame = {"type": "finish", "output": result.output, "messages": messages}
    for index, message in enumerate(messages):
        if len(encode(frame)) <= LINE_BYTES:
            break
        if message.get("role") == "tool":
            messages[index] = {**message, "content": "[Left out of the session: too long.]"}
    output.frame(frame)


def fail(output: Output, failed: RunFailed) -> None:
    """Write the `fail` frame, if there is somebody to read it."""
    with contextlib.suppress(WorkerGone):
        output.frame({"type": "fail", "reason": failed.reason, "message": failed.message})


if __name__ == "__main__":
    main()

"""One tool call for each process, spoken as JSON lines over fd 3.

Standard library only, and nothing is imported after this module is: it is loaded once and forked for every call.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from workers.tools.call import RESULT_BYTES, Call, Limits, Result, ToolError
from workers.tools.command import execute
from workers.tools.edit import edit_file
from workers.tools.group import lead
from workers.tools.listing import list_files
from workers.tools.read import read_file
from workers.tools.search import search_files
from workers.tools.write import write_file

FD = 3
"""The socket to the worker."""
LINE_BYTES = 4 * 1024 * 1024
GRACE_SECONDS = 5.0
"""How much later than its bound a call is broken off that does not keep the bound by itself, as exec does."""

TOOLS: Mapping[str, Callable[[Call], Result]] = {
    "exec": execute,
    "read_file": read_file,
    "write_file": write_file,
    "edit_file": edit_file,
    "list_files": list_files,
    "search_files": search_files,
}


def main() -> None:
    """Read one call, do it, write its result, return. It never fails silently: a fault of ours is a result too."""
    lead()
    try:
        result = answer(receive())
    except ToolError as error:
        result = Result(str(error), is_error=True)
    except MemoryError:
        result = Result("The call needed more memory than the sandbox may have.", is_error=True)
    except Exception as error:  # noqa: BLE001 - the last line: the call ends with a result, the trace goes to the log
        traceback.print_exc(file=sys.stderr)
        result = Result(f"A fault of the tool ({type(error).__name__}: {error}).", is_error=True)
    send({"result": result.text, "is_error": result.is_error})
    os.close(FD)


def answer(frame: Mapping[str, Any]) -> Result:
    """Do the call of a frame. Raises ToolError."""
    name = frame.get("tool")
    tool = TOOLS.get(name) if isinstance(name, str) else None
    if tool is None:
        raise ToolError(f"There is no tool {name!r}. The tools are {', '.join(TOOLS)}.")
    arguments = frame.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ToolError("`arguments` has to be an object.")
    given = frame.get("limits") or {}
    seconds = float(given.get("seconds") or Limits.seconds)
    limits = Limits(seconds, min(int(given.get("output_bytes") or RESULT_BYTES), LINE_BYTES // 8))
    signal.signal(signal.SIGALRM, lambda *_: late(seconds))
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
    result = tool(Call(arguments, limits, lambda text: send({"output": text})))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return Result(bounded(result.text, limits.output_bytes), result.is_error)


def late(seconds: float) -> None:
    """Break a call off."""
    raise ToolError(f"The call was not done after {seconds:g} s. Ask for less: a smaller path, or a simpler pattern.")


def bounded(text: str, most: int) -> str:
    """Cut a result that a tool let grow past its bound by its own words."""
    slack = 1024
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most + slack:
        return text
    return raw[:most].decode("utf-8", "ignore") + f"\n[Cut at {most} of {len(raw)} bytes.]"


def receive() -> dict[str, Any]:
    """Read the one line that says what to do."""
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(FD, 65536)
        if not chunk:
            raise ToolError("The worker closed before it said what to do.")
        line += chunk
        if len(line) > LINE_BYTES:
            raise ToolError(f"The call is longer than {LINE_BYTES} bytes.")
    try:
        frame = json.loads(line)
    except ValueError as error:
        raise ToolError(f"The call is not JSON: {error}.") from error
    if not isinstance(frame, dict):
        raise ToolError("The call is not a JSON object.")
    return frame


def send(frame: Mapping[str, Any]) -> None:
    """Write one line. Where nobody reads any more, the process ends: its result is not wanted."""
    line = memoryview(json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")
    try:
        while line:
            line = line[os.write(FD, line) :]
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)


if __name__ == "__main__":
    main()

"""The router's child that holds the embedded models: `python -m router.embedded`, a plan on standard input.

It imports neither grpc nor the rest of the router, reports each part on standard output, and ends with its parent.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from router.embedded.plan import Plan, Report
from router.embedded.weights import WeightsError
from signet.kit.lifecycle import die_with_parent


def main() -> int:
    """Serve until standard input ends."""
    die_with_parent(int(os.environ["SIGNET_PARENT"]), signal.SIGKILL)
    reports = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no report
    plan = Plan.parse(sys.stdin.buffer.readline())
    os.umask(0o177)  # the sockets are their owner's
    held: dict[str, Any] = {}

    def part(name: str, serve: Callable[[Plan], tuple[str, Any]]) -> None:
        try:
            sha256, held[name] = serve(plan)
            report = Report(name, ready=True, sha256=sha256)
        except (WeightsError, RuntimeError, ImportError, OSError, ValueError) as error:
            report = Report(name, ready=False, detail=str(error) or type(error).__name__)
        os.write(reports, report.line())

    loaders = [threading.Thread(target=part, args=arguments, daemon=True) for arguments in _parts()]
    for loader in loaders:
        loader.start()
    sys.stdin.buffer.read()
    os._exit(0)  # llama.cpp's server has no other end


def _parts() -> list[tuple[str, Callable[[Plan], tuple[str, Any]]]]:
    from router.embedded import chat, embeddings

    return [("chat", chat.serve), ("embeddings", embeddings.serve)]


if __name__ == "__main__":
    sys.exit(main())

"""At a terminal `signet up` goes on into a chat; leaving that leaves the fleet running, and Ctrl-C stops it."""

import os
import sys
from pathlib import Path

from tests.integration.cli.terminal import Terminal


def test_up_at_a_terminal_greets_talks_and_outlives_the_talk(folder: Path) -> None:
    ports = ("--port", "0", "--control-port", "0", "--router-port", "0")
    argv = [sys.executable, "-m", "signet.cli", "up", "--data", str(folder / "data"), *ports]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNET_", "OPENAI_"))}
    with Terminal(argv, environment | {"TERM": "xterm-256color"}, str(folder)) as terminal:
        terminal.wait_for("sign-in?code=", seconds=90)
        terminal.wait_for("Try:")
        terminal.wait_for("the embedded model is ready", seconds=90)
        terminal.wait_for("Ctrl-D leaves")
        terminal.wait_for("▸")
        terminal.type("List the files in your workspace\r")
        terminal.wait_for("The workspace is empty", seconds=90)
        terminal.wait_for("signet runs show")
        terminal.wait_for("▸")
        terminal.type("\x04")
        terminal.wait_for("Signet goes on")
        terminal.type("\x03")
        terminal.wait_for("Stopping")
        terminal.wait_for("Stopped.", seconds=60)
        assert terminal.process.wait(30) == 0

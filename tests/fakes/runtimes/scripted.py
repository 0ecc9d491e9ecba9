"""A runtime that does what its input says, well or badly: a JSON list of `[word, argument…]`."""

import http.client
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any


class Script:
    """One run of it. `kept` is what `finish` gives where it is told nothing else."""

    def __init__(self) -> None:
        self.socket = socket.socket(fileno=3)
        self.file = self.socket.makefile("rwb")
        self.run: dict[str, Any] = json.loads(self.file.readline())
        self.kept: list[Any] = []

    def play(self) -> None:
        """Do each action in turn."""
        for word, *arguments in json.loads(self.run["input"]):
            getattr(self, word)(*arguments)

    def frame(self, frame: dict[str, Any]) -> None:
        """Write any frame."""
        self.raw(json.dumps(frame) + "\n")

    def raw(self, text: str, times: int = 1) -> None:
        """Write anything, again and again."""
        data = text.encode()
        for _ in range(times):
            self.file.write(data)
        self.file.flush()

    def say(self, text: str, times: int = 1) -> None:
        """Write text frames."""
        self.raw(json.dumps({"type": "text", "text": text}) + "\n", times)

    def call(self, ident: str, tool: str, arguments: Any) -> None:
        """Ask for a tool call."""
        self.frame({"type": "tool_call", "id": ident, "tool": tool, "arguments": arguments})

    def take(self, count: int) -> None:
        """Keep the results of that many calls."""
        self.kept += [json.loads(self.file.readline()) for _ in range(count)]

    def ask(self, body: Any, path: str = "/v1/chat/completions", secret: str = "") -> None:
        """Ask the model and keep status and body."""
        connection = http.client.HTTPConnection("127.0.0.2", 80)
        headers = {"authorization": f"Bearer {secret}", "x-api-key": secret} if secret else {}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        self.kept.append([answer.status, answer.read().decode()])

    def stream(self, body: Any) -> None:
        """Ask the model and say each event as it comes."""
        connection = http.client.HTTPConnection("127.0.0.2", 80)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        for line in connection.getresponse():
            if line.startswith(b"data: ") and b"[DONE]" not in line:
                self.say(line[6:].decode().strip())

    def finish(self, output: str | None = None) -> None:
        """End the run."""
        text = json.dumps(self.kept) if output is None else output
        messages = [{"role": "user", "content": "asked"}, {"role": "assistant", "content": text}]
        self.frame({"type": "finish", "output": text, "messages": messages})

    def sprawl(self, output: int, messages: int) -> None:
        """End the run with an answer and a history of so many characters."""
        history = [{"role": "user", "content": "x" * messages}]
        self.frame({"type": "finish", "output": "y" * output, "messages": history})

    def show(self) -> None:
        """Keep what the worker said first."""
        self.kept.append(self.run)

    def err(self, text: str, times: int = 1) -> None:
        """Write to standard error."""
        for _ in range(times):
            sys.stderr.write(text)
        sys.stderr.flush()

    def leave(self, code: int) -> None:
        """End with an exit code."""
        os._exit(code)

    def die(self, number: int) -> None:
        """End by a signal."""
        os.kill(os.getpid(), number)

    def hang(self) -> None:
        """Never end."""
        while True:
            time.sleep(60)

    def close(self) -> None:
        """Close the socket and live on."""
        self.file.close()
        self.socket.close()
        os.closerange(3, 10)
        self.hang()

    def fork(self, count: int) -> None:
        """Leave children behind that hold on to everything."""
        for _ in range(count):
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                self.hang()

    def processes(self) -> None:
        """Keep how many processes there are inside."""
        self.kept.append(len([entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]))

    def write(self, name: str, text: str) -> None:
        """Write a file of the workspace."""
        Path(name).write_text(text)

    def read(self, name: str) -> None:
        """Keep a file of the workspace, null where there is none."""
        path = Path(name)
        self.kept.append(path.read_text() if path.exists() else None)

    def hold(self, name: str) -> None:
        """Wait until a file is there."""
        while not Path(name).exists():
            time.sleep(0.01)

    def snoop(self, *reversed_secrets: str) -> None:
        """Keep where each secret, given backwards, can be read: environments, command lines, open files, all files."""
        found: list[list[str]] = [[secret, place] for secret, place in held(secrets(reversed_secrets), places())]
        self.kept.append({"found": found, "places": len(places())})


def secrets(backwards: tuple[str, ...]) -> list[str]:
    """Turn secrets round: what asks for them does not hold them."""
    return [secret[::-1] for secret in backwards]


def places() -> dict[str, str]:
    """Read everything that is not the system's own."""
    texts = {"environ": repr(dict(os.environ))}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            texts |= {f"{process}/{name}": readable(process / name) for name in ("environ", "cmdline", "status")}
            texts[f"{process}/fd"] = repr(links(process / "fd"))
    for folder in ("/workspace", "/tmp", "/etc", "/dev/shm", "/run", "/var"):  # noqa: S108 - the sandbox's
        texts |= {str(path): readable(path) for path in Path(folder).rglob("*") if path.is_file()}
    return texts


def held(wanted: list[str], texts: dict[str, str]) -> list[tuple[str, str]]:
    """Give each secret with the place that holds it."""
    return [(secret, place) for secret in wanted for place, text in texts.items() if secret in text or secret in place]


def readable(path: Path) -> str:
    """Give a file's text, or why there is none."""
    try:
        return path.read_bytes().decode("latin-1")
    except OSError as error:
        return f"({error.strerror})"


def links(folder: Path) -> list[str]:
    """Give what the descriptors of a process are."""
    try:
        return [str(entry.readlink()) for entry in folder.iterdir()]
    except OSError as error:
        return [f"({error.strerror})"]


def main() -> None:
    """Play the script."""
    Script().play()

"""Where a person's messages come from: a prompt at a terminal, lines in a pipe."""

import asyncio
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent

_LINE_BYTES = (1 << 20) + 2


class Left(Exception):
    """Raised when the person leaves."""


class Reader(Protocol):
    """Gives messages."""

    async def read(self) -> str:
        """Give the next message; "" where there is none. Raises Left at the end."""


class Prompt:
    """A prompt with history, several lines and completion of the slash commands."""

    def __init__(self, folder: Path, words: Iterable[str]) -> None:
        history: History = FileHistory(str(folder / "chat_history")) if folder.is_dir() else InMemoryHistory()
        self._session: PromptSession[str] = PromptSession(
            FormattedText([("bold ansicyan", "▸ ")]),
            multiline=True,
            prompt_continuation=FormattedText([("ansicyan", "· ")]),
            history=history,
            key_bindings=_keys(),
            completer=WordCompleter(list(words), sentence=True),
            complete_while_typing=Condition(self._begins_with_slash),
            enable_open_in_editor=True,
        )

    async def read(self) -> str:
        """Give the next message. Ctrl-C empties the line, Ctrl-D on an empty one leaves."""
        try:
            return await self._session.prompt_async()
        except KeyboardInterrupt:
            return ""
        except EOFError:
            raise Left from None

    def _begins_with_slash(self) -> bool:
        return self._session.default_buffer.text.startswith("/")


class Lines:
    """Standard input, a message a line. Raises UnicodeDecodeError and OverflowError for a bad line."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)
        # a thread that nobody waits for: the program ends while it still reads
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self) -> None:
        while True:
            self._wanted.acquire()
            line = sys.stdin.buffer.readline(_LINE_BYTES)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            if not line:
                return

    async def read(self) -> str:
        """Give the next line."""
        self._wanted.release()
        line = await self._lines.get()
        if not line:
            raise Left
        if len(line) >= _LINE_BYTES:
            raise OverflowError("a line is over 1 MiB, the most that a message may have")
        return line.decode()


def _keys() -> KeyBindings:
    """Let Enter send and Esc Enter begin another line."""
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys

"""A fleet of a test: the real programs, by `signet up`, in a folder of their own, on no port but what is asked for."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from signet.client import AsyncSignet
from signet.kit.home import Home
from signet.up.door import ask
from tests.harness.process import Process, ProcessError

_CHANGE_SECONDS = 60.0
_LOOK_SECONDS = 0.02

# What a developer's own shell says must not reach a fleet of a test.
_FOREIGN = (
    *("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"),
    *("SIGNET_DATA", "SIGNET_TOKEN", "SIGNET_CONTROL", "SIGNET_ROUTER"),
)


def short_folder() -> Path:
    """Make a folder whose path leaves room for the names of sockets; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp"))


class Fleet:
    """A running fleet: `async with Fleet(provider=fake.base_url, model="fake-small") as fleet:`, ready in the block.

    `provider` and `model`: the OpenAI-compatible endpoint that the router finds in its environment. `embedded`: with
    the embedded models. `environment`: more of it, for example `SIGNET_CONTROL_LEASE_SECONDS`. `folder`: one that
    stays, its fleet's data in `data`; else a new one is made and removed.
    """

    def __init__(
        self,
        *,
        provider: str = "",
        model: str = "",
        embedded: bool = False,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.folder = folder or short_folder()
        self.home = Home(self.folder / "data")
        self._kept = folder is not None
        words = ["up", "--data", str(self.home.root), "--no-chat", "--port", "0"]
        words += ["--control-port", "0", "--router-port", "0", *([] if embedded else ["--no-embedded"])]
        asked = {"OPENAI_BASE_URL": provider, "OPENAI_MODEL": model} if provider else {}
        self.up = Process(
            self.folder, *words, environment={**dict.fromkeys(_FOREIGN), **asked, **dict(environment or {})}
        )
        self.client = AsyncSignet(data=str(self.home.root))

    async def __aenter__(self) -> Self:
        """Start it and wait until every program is ready."""
        await self.up.__aenter__()
        self.client = AsyncSignet(data=str(self.home.root))  # now that the operator's token is there
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything and remove the folder."""
        try:
            await self.client.close()
            await self.up.stop()
        finally:
            if not self._kept:
                shutil.rmtree(self.folder, ignore_errors=True)

    async def status(self) -> dict[str, Any]:
        """Give what `signet status` shows. Raises ProcessError where no supervisor answers."""
        found = await asyncio.to_thread(ask, self.home.socket("up.sock"), "status")
        if found is None:
            raise ProcessError(f"no supervisor answers: {self.up.said}")
        return found

    async def program(self, name: str) -> dict[str, Any]:
        """Give the standing of `control`, `router`, `worker` or `web`."""
        found: list[dict[str, Any]] = (await self.status())["processes"]
        return next(shown for shown in found if shown["name"] == name)

    async def address(self, name: str) -> str:
        """Give where a service answers, for example `web`."""
        return str((await self.status())["addresses"][name])

    async def pid(self, name: str) -> int:
        """Give a program's pid; 0 while it does not run."""
        return int((await self.program(name))["pid"])

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a program a signal and return when it has ended, which is before it is back."""
        before = await self.program(name)
        os.kill(before["pid"], number)
        await self._until(name, lambda now: now["restarts"] > before["restarts"])

    async def back(self, name: str) -> None:
        """Wait until a program is ready. Raises ProcessError when it does not come back."""
        await self._until(name, lambda now: now["state"] == "ready")

    async def restart(self, name: str) -> None:
        """Kill a program and wait until it is ready again."""
        await self.kill(name)
        await self.back(name)

    def log(self, name: str) -> str:
        """Give what a program said."""
        path = self.home.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def _until(self, name: str, holds: Any) -> None:
        try:
            async with asyncio.timeout(_CHANGE_SECONDS):
                while not holds(await self.program(name)):  # noqa: ASYNC110 - the supervisor answers, it does not call
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise ProcessError(f"{name} did not change: {self.log(name)[-4000:]}") from None

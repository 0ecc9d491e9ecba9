"""Our own side: a control and a router as anybody runs them, with everything on, before the benchmark's upstream."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmark.router.program import START_SECONDS, Program, free_port, running
from benchmark.router.target import Target
from signet.client import Signet
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.home import Home

NAME = "signet"
PROVIDER = "bench"
CONCURRENCY = 256
"""Calls that may run at the provider at once: as many as the largest cell has callers, for no peer bounds them."""

_MONEY_MICROUSD = 10**13
_TOKENS = 10**13
_TOKEN_SECONDS = 6 * 3600


@contextmanager
def ours(upstream: int, folder: Path, core: int | None) -> Iterator[Target]:
    """Serve until the context is left. Raises ProgramError.

    The provider has a key and prices, so that every call is priced, reserved in two hard budgets (money in total,
    tokens of each agent), sent with the key, redacted, settled, and in the ledger on disk before its answer ends.
    Callers come with a run's token.
    """
    home, port = Home(folder / "home"), free_port()
    words = [sys.executable, "-m", "signet.cli"]
    data = ["--data", str(home.root), "--set", "port=0"]
    options = [f"door_port={port}", "embedded=off", f"concurrency={CONCURRENCY}"]
    settings = [word for option in options for word in ("--set", option)]
    environment = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "OPENAI_MODEL": ""}
    with running("control", [*words, "control", *data], folder, core=core) as control:
        _wait_for(home, "control.sock", control)
        router = running("router", [*words, "router", *data, *settings], folder, core=core, environment=environment)
        with router as door:
            door.wait_for_port(port)
            _wait_for(home, "router.sock", door)
            _set_up(home, upstream)
            yield Target(
                NAME,
                port,
                headers=_authorization(home),
                models={"burst": f"{PROVIDER}/burst", "paced": f"{PROVIDER}/paced"},
                pids=(control.pid, door.pid),
                version="this checkout",
            )


def _set_up(home: Home, upstream: int) -> None:
    with Signet(data=str(home.root)) as signet:
        signet.providers.create(
            PROVIDER,
            base_url=f"http://127.0.0.1:{upstream}/v1",
            key=secrets.token_hex(24),
            input_price_microusd_per_million=150_000,
            output_price_microusd_per_million=600_000,
        )
        signet.providers.check(PROVIDER)
        signet.budgets.put("money", _MONEY_MICROUSD, measure="cost", period="month")
        signet.budgets.put("tokens", _TOKENS, measure="tokens", period="day", subject="agents/-")


def _authorization(home: Home) -> Mapping[str, str]:
    models = (f"{PROVIDER}/burst", f"{PROVIDER}/paced")
    claims = RunClaims("runs/bench", "agents/bench", "sessions/bench", models, 1, int(time.time()) + _TOKEN_SECONDS)
    return {"authorization": f"Bearer {sign_run_token(home.key('run.key'), claims)}"}


def _wait_for(home: Home, name: str, program: Program) -> None:
    until = time.monotonic() + START_SECONDS
    path = os.fspath(home.socket(name))
    while time.monotonic() < until and program.process.poll() is None:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise program.trouble()

"""The gateways that people use, started as their manuals say, beside the same upstream. deploy/peers installs them."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from benchmark.router.build import cache
from benchmark.router.postgres import postgres
from benchmark.router.program import START_SECONDS, Program, ProgramError, free_port, running
from benchmark.router.target import PATH, Target

_KEY = "sk-bench"
_LITELLM = """\
model_list:
{models}litellm_settings:
  telemetry: false
  num_retries: 0
general_settings:
  master_key: {key}
"""
_LITELLM_DATABASE = "  database_url: {url}\n"
_LITELLM_MODEL = """\
  - model_name: {name}
    litellm_params:
      model: openai/{name}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: sk-upstream
"""
_TENSORZERO_MODEL = """\
[models.{name}]
routing = ["up"]
[models.{name}.providers.up]
type = "openai"
model_name = "{name}"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "env::OPENAI_API_KEY"
"""
_MODELS = ("burst", "paced")


def place() -> Path:
    """Give the folder that deploy/peers/install.py fills."""
    return cache() / "peers"


def installed(name: str) -> Mapping[str, Any] | None:
    """Give what the installer noted about a peer; None where it is not installed."""
    try:
        found: Mapping[str, Any] = json.loads((place() / name / "ready.json").read_text())
    except (OSError, ValueError):
        return None
    return found


@contextmanager
def litellm(upstream: int, folder: Path, core: int | None) -> Iterator[Target]:
    """LiteLLM's proxy: one worker, a master key, no retries, no telemetry, errors only in its log; no database."""
    with _litellm(upstream, folder, core, "") as target:
        yield replace(target, version=f"{target.version}, without its database")


@contextmanager
def litellm_with_database(upstream: int, folder: Path, core: int | None) -> Iterator[Target]:
    """Serve it with its database, and callers with a key that has a budget. The database's CPU is not counted to it."""
    if not (installed("litellm") or {}).get("database"):
        raise ProgramError("its database client could not be completed here")
    others = None if core is None else max(os.sched_getaffinity(0))
    with postgres(others) as url, _litellm(upstream, folder, core, url) as target:
        asked = {"max_budget": 1_000_000, "models": list(_MODELS)}
        try:
            answer = httpx.post(
                f"http://127.0.0.1:{target.port}/key/generate", json=asked, headers=dict(target.headers), timeout=30
            )
            key = answer.raise_for_status().json()["key"]
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise ProgramError(f"litellm gives no key with a budget: {error}") from error
        version = f"{target.version}, with its database (PostgreSQL)"
        yield replace(target, headers={"authorization": f"Bearer {key}"}, version=version)


@contextmanager
def _litellm(upstream: int, folder: Path, core: int | None, database: str) -> Iterator[Target]:
    port, config = free_port(), folder / "litellm.yaml"
    models = "".join(_LITELLM_MODEL.format(name=name, upstream=upstream) for name in _MODELS)
    kept = _LITELLM_DATABASE.format(url=database) if database else ""
    config.write_text(_LITELLM.format(models=models, key=_KEY) + kept)
    argv = [
        str(place() / "litellm/venv/bin/litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
        "--num_workers", "1",
    ]  # fmt: skip
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "PATH": f"{place() / 'litellm/venv/bin'}:{os.environ.get('PATH', '')}",
        "PRISMA_HOME_DIR": str(place() / "litellm"),
    }
    with running("litellm", argv, folder, core=core, environment=environment) as program:
        program.wait_for_port(port)
        yield _target("litellm", port, program, slow=True, headers={"authorization": f"Bearer {_KEY}"})


@contextmanager
def portkey(upstream: int, folder: Path, core: int | None) -> Iterator[Target]:
    """Portkey's gateway: its server for Node. It has no tokens of its own; each call says where to."""
    port = free_port()
    server = place() / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    argv = ["node", str(server), f"--port={port}", "--headless"]
    environment = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
    headers = {
        "authorization": "Bearer sk-upstream",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
    }
    with running("portkey", argv, folder, core=core, environment=environment) as program:
        program.wait_for_port(port)
        yield _target("portkey", port, program, headers=headers)


@contextmanager
def tensorzero(upstream: int, folder: Path, core: int | None) -> Iterator[Target]:
    """TensorZero's gateway in its Python package, observability off; it chooses its port and says it."""
    config = folder / "tensorzero.toml"
    models = "".join(_TENSORZERO_MODEL.format(name=name, upstream=upstream) for name in _MODELS)
    config.write_text("[gateway]\nobservability.enabled = false\n" + models)
    home = place() / "tensorzero"
    argv = [str(home / "venv/bin/python"), str(home / "tensorzero_gateway.py"), str(config)]
    with running("tensorzero", argv, folder, core=core, environment={"OPENAI_API_KEY": "sk-upstream"}) as program:
        port = _said_port(program)
        program.wait_for_port(port)
        names = {name: f"tensorzero::model_name::{name}" for name in _MODELS}
        yield _target("tensorzero", port, program, path="/openai" + PATH, models=names)


Serving = Callable[[int, Path, int | None], AbstractContextManager[Target]]
"""Serves a peer before an upstream's port, with its files in a folder, on a core. Raises ProgramError."""

PEERS: Mapping[str, Sequence[Serving]] = {
    "litellm": (litellm_with_database, litellm),
    "portkey": (portkey,),
    "tensorzero": (tensorzero,),
}
"""By name the ways to serve it, best first: the first that comes up is measured."""

EVERYWHERE = frozenset({"portkey"})
"""Those that listen on all of a machine's addresses: only for a network of their own."""


def _target(name: str, port: int, program: Program, **fields: Any) -> Target:
    version = str((installed(name) or {}).get("version", ""))
    return Target(name, port, pids=(program.pid,), version=version, **fields)


def _said_port(program: Program) -> int:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and program.process.poll() is None:
        if found := re.search(r"http://[^\s:]+:(\d+)", program.said()):
            return int(found[1])
        time.sleep(0.05)
    raise program.trouble()

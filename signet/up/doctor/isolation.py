"""The sandbox: one is opened, and every layer tried from inside, as the worker does for each agent."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from signet.up.doctor.finding import Finding, State
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.report import Layer
from workers.sandbox.spec import Spec

_UID = 299_999
"""A user that no agent has."""

_STATES: Mapping[str, State] = {"enforced": "ok", "partial": "warning", "absent": "broken"}


def isolation() -> list[Finding]:
    """Open a sandbox on an empty workspace and report its layers."""
    with tempfile.TemporaryDirectory(prefix="signet-doctor-") as folder:
        try:
            return [_finding(layer) for layer in asyncio.run(_layers(Path(folder, "workspace")))]
        except SandboxUnavailable as error:
            return [Finding(f"sandbox: {error.layer}", "broken", error.reason, error.hint)]


async def _layers(workspace: Path) -> tuple[Layer, ...]:
    async with await Launcher.start() as launcher:
        sandbox = await launcher.open(Spec("doctor", workspace, host_uid=_UID))
        try:
            return sandbox.report.layers
        finally:
            await sandbox.aclose()


def _finding(layer: Layer) -> Finding:
    found = layer.detail if layer.state == "enforced" else f"{layer.state}: {layer.detail}"
    return Finding(f"sandbox: {layer.name}", _STATES[layer.state], found, layer.hint)

"""Runs the attacks on the tiers of this host and judges what came of each."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from workers.attacks.areas import everything
from workers.attacks.attack import Attack
from workers.attacks.ground import PRELOAD, UID, Ground
from workers.attacks.needs import lacking
from workers.attacks.results import Result, Results, verdict
from workers.attacks.trap import Trap
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher

NATIVE: Final = ("standard", "strict")
_ARRIVES_SECONDS: Final = 0.2

Told = Callable[[Result, int, int], None]


async def run(
    attacks: Sequence[Attack] | None = None, tiers: Sequence[str] = NATIVE, told: Told = lambda *_: None
) -> Results:
    """Make every attack on every tier, in a folder that is removed again. `told` hears of each result, n of m."""
    chosen = everything() if attacks is None else tuple(attacks)
    with _folder() as folder:
        return await attack_in(folder, chosen, tiers, told)


async def attack_in(folder: Path, attacks: Sequence[Attack], tiers: Sequence[str], told: Told) -> Results:
    """Make attacks with everything below a folder that all users can walk."""
    results: list[Result] = []
    refused: dict[str, str] = {}
    workspaces = folder / "workspaces"
    with Trap.planted(folder / "host", UID) as trap:
        async with await Launcher.start(PRELOAD) as launcher:
            for tier in tiers:
                try:
                    async with Ground.opened(launcher, trap, tier, workspaces) as ground:
                        for attack in attacks:
                            results.append(await judge(ground, attack))
                            told(results[-1], len(results), len(attacks) * len(tiers))
                except SandboxUnavailable as error:
                    refused[tier] = f"{error.reason} {error.hint}".strip()
            user = "root" if launcher.as_root else "user"
    return Results(user, tuple(results), refused)


async def seen(trap: Trap, attack: Attack, said: Mapping[str, str]) -> list[str]:
    """Give the effects of an attack; what it says it has sent is given a moment to arrive."""
    effects = trap.effects()
    if not effects and attack.witness == "host" and said["outcome"] == "got":
        await asyncio.sleep(_ARRIVES_SECONDS)
        effects = trap.effects()
    return effects


@contextmanager
def _folder() -> Iterator[Path]:
    """Lend a folder on a way that all users can walk."""
    with tempfile.TemporaryDirectory(prefix="signet-attacks-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def judge(ground: Ground, attack: Attack) -> Result:
    """Make one attack, and judge what came of it."""
    why = next(filter(None, map(lacking, attack.needs)), "")
    if ground.tier not in attack.tiers:
        why = f"it is for {', '.join(attack.tiers)}"
    if why:
        return Result(attack, ground.tier, "not applicable", why)
    began = time.monotonic()
    ground.trap.effects()
    try:
        said = await ground.attempt(attack)
    except SandboxUnavailable as error:
        said = {"outcome": "broken", "detail": f"no sandbox for it: {error.reason}"}
    effects = await seen(ground.trap, attack, said)
    reason = attack.designed(ground.tier, ground.user)
    state, detail = verdict(attack, said, ground.trap.secrets, effects, reason)
    return Result(attack, ground.tier, state, detail, reason, time.monotonic() - began)

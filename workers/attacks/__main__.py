"""`python -m workers.attacks [--tier TIER] [--area AREA] [--id ID] [--list] [--json]`: try to get out of a sandbox.

Exit code 0 where every attack that had to fail did, 1 where one won or could not be made, 2 for wrong usage.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from workers.attacks.areas import everything
from workers.attacks.attack import TIERS, Attack
from workers.attacks.results import Result, table
from workers.attacks.runner import NATIVE, run
from workers.sandbox.errors import SandboxUnavailable


def main(argv: Sequence[str] | None = None) -> int:
    """Run as told, and give the exit code."""
    attacks = everything()
    asked = _parser(attacks).parse_args(argv)
    chosen = [
        attack
        for attack in attacks
        if (not asked.area or attack.area in asked.area) and (not asked.id or attack.name in asked.id)
    ]
    if not chosen:
        sys.stderr.write("no attack is of that area and has that id\n")
        return 2
    if asked.list:
        sys.stdout.write("".join(f"{attack.name:<36} {attack.title}\n" for attack in chosen))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing planted is left behind
    try:
        results = asyncio.run(run(chosen, asked.tier or NATIVE, _progress if sys.stderr.isatty() else _silent))
    except SandboxUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write((json.dumps(results.form(), indent=1) if asked.json else table(results)) + "\n")
    return 0 if results.sound and results.results else 1


def _parser(attacks: Sequence[Attack]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.attacks", description=(__doc__ or "").split(": ", 1)[1])
    areas = list(dict.fromkeys(attack.area for attack in attacks))
    parser.add_argument("--tier", action="append", choices=TIERS, help="a tier, may be repeated; default: both own")
    parser.add_argument("--area", action="append", choices=areas, help="an area, may be repeated; default: all")
    parser.add_argument("--id", action="append", help="an attack, may be repeated; default: all")
    parser.add_argument("--list", action="store_true", help="list the attacks and make none")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _progress(result: Result, number: int, of: int) -> None:
    sys.stderr.write(f"\r\x1b[K{number}/{of} {result.tier} {result.attack.name}")
    if number == of:
        sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()


def _silent(*_: object) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())

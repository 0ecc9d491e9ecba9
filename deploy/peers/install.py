"""Install the gateways that the router is measured beside: `python3 deploy/peers/install.py [PEER …]`, all by default.

Each goes into an environment of its own below `$XDG_CACHE_HOME/signet/peers` (`--to` says another place), at the
versions pinned here; nothing of Signet's own environment changes. What is there already is left alone. Needs `node` and
`npm` for Portkey. Where LiteLLM's database client can be completed, which takes downloads of its own, it is, and it is
then measured with its database; else without. `ready.json` in each folder says what is in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = {"litellm": "1.106.2", "portkey": "1.15.2", "tensorzero": "2026.6.0"}
PINS = {
    "litellm": ("litellm.txt",),
    "portkey": ("portkey/package.json", "portkey/package-lock.json"),
    "tensorzero": ("tensorzero.txt", "tensorzero_gateway.py"),
}
_STEP_SECONDS = 900
_DATABASE_SECONDS = 180


class InstallError(Exception):
    """Raised when a peer cannot be installed; says which step failed and what it said."""


def place() -> Path:
    """Give the folder that the benchmark looks into."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signet" / "peers"


def digest(name: str) -> str:
    """Give a digest of what a peer is made from."""
    return hashlib.sha256(b"\0".join((HERE / file).read_bytes() for file in PINS[name])).hexdigest()


def ready(folder: Path, name: str) -> bool:
    """Tell whether a peer is there as it is pinned."""
    try:
        stamp = json.loads((folder / "ready.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp.get("digest") == digest(name))


def step(argv: list[str], cwd: Path, seconds: float = _STEP_SECONDS) -> None:
    """Run one command. Raises InstallError with its last lines."""
    try:
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise InstallError(f"{argv[0]} is missing here") from error
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{' '.join(argv[:3])} took more than {seconds:g} s") from error
    if done.returncode:
        raise InstallError(f"{' '.join(argv[:4])} failed:\n" + "\n".join(done.stdout.splitlines()[-12:]))


def environment(folder: Path, pins: str) -> None:
    """Make a Python environment with exactly what is pinned."""
    step([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--no-input", "--progress-bar=off", "--no-deps"]
    step([*pip, "--requirement", str(HERE / pins)], folder)


def litellm(folder: Path) -> dict[str, object]:
    """Install LiteLLM, and its database client where that can be had."""
    environment(folder, "litellm.txt")
    schema = next(folder.glob("venv/lib/python3*/site-packages/litellm/proxy/schema.prisma"))
    venv = str(folder / "venv/bin")
    settings = {"PATH": f"{venv}:{os.environ.get('PATH', '')}", "PRISMA_HOME_DIR": str(folder)}
    words = [f"{name}={value}" for name, value in settings.items()]
    try:
        step(["env", *words, f"{venv}/prisma", "generate", "--schema", str(schema)], folder, _DATABASE_SECONDS)
    except InstallError as error:
        return {"database": False, "why": str(error).strip().splitlines()[-1]}
    return {"database": True}


def tensorzero(folder: Path) -> dict[str, object]:
    """Install TensorZero's gateway, which its Python package holds, and the program that starts it."""
    environment(folder, "tensorzero.txt")
    shutil.copy(HERE / "tensorzero_gateway.py", folder)
    return {}


def portkey(folder: Path) -> dict[str, object]:
    """Install Portkey's gateway; no script of a package is run."""
    for file in PINS["portkey"]:
        shutil.copy(HERE / file, folder)
    step(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return {}


INSTALL = {"litellm": litellm, "portkey": portkey, "tensorzero": tensorzero}


def install(name: str, to: Path) -> None:
    """Bring one peer to what is pinned. Raises InstallError."""
    folder = to / name
    if ready(folder, name):
        print(f"{name} {VERSIONS[name]} is there", flush=True)
        return
    print(f"installing {name} {VERSIONS[name]} …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stamp = {"name": name, "version": VERSIONS[name], "digest": digest(name), **INSTALL[name](folder)}
    (folder / "ready.json").write_text(json.dumps(stamp, indent=1))
    if why := stamp.get("why"):
        print(f"{name} will be measured without its database: {why}", flush=True)


def main() -> int:
    """Install those named, or all; 1 where one could not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(INSTALL)}; all, if none is named")
    parser.add_argument("--to", type=Path, default=place())
    options = parser.parse_args()
    if unknown := sorted({*options.peers} - {*INSTALL}):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(INSTALL)}")
    failed = False
    for name in options.peers or INSTALL:
        try:
            install(name, options.to)
        except InstallError as error:
            failed = True
            print(f"{name} is left out: {error}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

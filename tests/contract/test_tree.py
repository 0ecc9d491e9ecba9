"""What the tree may not hold: places of the machine that it was written on, and what it cannot be installed with."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.contract.imports import ROOT

_LEFT_OUT = {
    ".git",
    ".venv",
    "build",
    "dist",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}

PLACES = {
    "a registry": r"pypi\.|pythonhosted|simple/|index[-_]url\s*[=:]|find[-_]links|artifactory|registry\.npmjs",
    "somebody's home": r"\.pyenv|/home/(?!USER)[a-z]+/",
    "a path of one machine": r"(?<![\w.])/(?:work|opt/pypi|workspace/main)/",
}
REACHED = Path("signet/policy/presets")
"""What agents may be let through to, registries too; nothing is installed from what stands there."""


def texts() -> Iterator[tuple[Path, str]]:
    """Give every text file of the tree but this one."""
    for path in sorted(ROOT.rglob("*")):
        outside = path == Path(__file__) or any(
            part in _LEFT_OUT or part.endswith(".egg-info") for part in path.relative_to(ROOT).parts
        )
        if path.is_file() and not outside:
            body = path.read_bytes()
            if b"\0" not in body[:8192]:
                yield path, body.decode(errors="replace")


def test_the_tree_names_no_registry_and_no_place_of_one_machine() -> None:
    found = []
    for path, text in texts():
        for number, line in enumerate(text.splitlines(), 1):
            found += [
                f"{path.relative_to(ROOT)}:{number} names {what}"
                for what, form in PLACES.items()
                if re.search(form, line) and not (what == "a registry" and path.is_relative_to(ROOT / REACHED))
            ]
    assert not found


def test_everything_that_is_installed_is_pinned() -> None:
    """Ray alone is not: nobody installs it but who asks for the extra `benchmark`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *extras["embedded"],
        *extras["dev"],
        *project["build-system"]["requires"],
    ]
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in pinned()}
    names = {re.split(r"[<>=!~\[; ]", word)[0].lower().replace("_", "-") for word in wanted}
    assert names - pins == set()


def test_pins_are_versions_and_nothing_else() -> None:
    assert [line for line in pinned() if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", line)] == []


def pinned() -> list[str]:
    """Give the lines of the constraints and the weights that are no comments."""
    both = (ROOT / "deploy/constraints.txt").read_text() + (ROOT / "deploy/weights.txt").read_text()
    return [line for line in both.splitlines() if line and not line.startswith("#")]

"""The documents say what is: every option and exit code with its value, and links that lead somewhere."""

import re
from dataclasses import MISSING, fields
from importlib import import_module
from typing import Any

import pytest

from signet.cli.codes import MEANINGS
from signet.cli.main import ENTRIES
from tests.contract.imports import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("protos/**/*.md")])
OPTIONS = {
    "control": "control.options:Options",
    "router": "router.options:RouterOptions",
    "worker": "workers.options:Options",
    "web": "web.options:WebOptions",
}


def shown(value: Any) -> str:
    """Give a default as the tables show it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("section", sorted(OPTIONS))
def test_every_option_is_documented_with_its_default(section: str) -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]*?) ?\|", part, re.MULTILINE)
    documented = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    module, _, name = OPTIONS[section].partition(":")
    options = {option.name: option for option in fields(getattr(import_module(module), name))}
    assert set(documented) == set(options)
    for option in options.values():
        if option.default is not MISSING and str(option.default) not in {"", "."}:
            assert documented[option.name] == shown(option.default), option.name


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    rows = re.findall(r"^\| (\d+) \|", text.split("## Exit codes")[1], re.MULTILINE)
    assert [int(row) for row in rows] == list(MEANINGS)


def test_every_command_in_the_documents_exists() -> None:
    called = {name for path in DOCUMENTS for name in re.findall(r"signet ([a-z-]+)", code(path.read_text()))}
    assert called <= set(ENTRIES)


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def code(text: str) -> str:
    """Give what a document sets as code."""
    return "\n".join(re.findall(r"```console\n.*?```|`[^`\n]+`", text, re.DOTALL))

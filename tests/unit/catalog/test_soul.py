"""A soul's two files: what is taken, and what is said of bad ones."""

from pathlib import Path

import pytest

from signet.catalog.soul import MAX_BYTES, Soul, SoulInvalid, parse, read
from signet.catalog.toolsets import Policy, offered

ROOT = Path(__file__).resolve().parents[3]
SOULS = sorted((ROOT / "control" / "souls").iterdir())
WHOLE = """
title: A soul
description: For a test
category: tests
version: "3"
toolsets:
  enforced: [files]
  default_enabled: [terminal]
  optional: [terminal]
"""


def problems(manifest: str, text: str = "You are.") -> tuple[str, ...]:
    """Return what is wrong with a soul."""
    with pytest.raises(SoulInvalid) as caught:
        parse("mine", text, manifest, "souls/mine")
    return caught.value.problems


def test_the_nine_souls_are_there_and_right() -> None:
    assert [folder.name for folder in SOULS] == [
        "app-development",
        "companion",
        "general",
        "homelab-code-fix",
        "homelab-investigator",
        "news-anchor",
        "planning-life",
        "relationship-counseling",
        "studying",
    ]


@pytest.mark.parametrize("folder", SOULS, ids=lambda folder: folder.name)
def test_a_soul_of_the_catalog_is_whole(folder: Path) -> None:
    soul = read(folder)
    assert soul.title
    assert 20 < len(soul.description) <= 120
    assert soul.version == "1.0"
    assert 30 <= len(soul.text.splitlines()) <= 80
    assert soul.text.startswith(f"# {soul.title}\n\nYou are "), "its first paragraph stands for it where room is short"
    assert max(map(len, soul.text.splitlines())) <= 130
    offered(soul.policy)


def test_general_has_files_and_terminal_at_once() -> None:
    names = [tool.name for tool in offered(read(ROOT / "control/souls/general").policy)]
    assert names == ["read_file", "write_file", "edit_file", "list_files", "search_files", "exec"]


def test_every_key_is_taken() -> None:
    policy = Policy(("files",), ("terminal",), ("terminal",), ())
    assert parse("mine", "You are.", WHOLE) == Soul("mine", "A soul", "For a test", "tests", "3", "You are.", policy)


def test_a_manifest_may_be_empty() -> None:
    soul = parse("mine", "You are.", "")
    assert (soul.title, soul.policy) == ("mine", Policy())


def test_the_digest_is_of_what_it_means_and_not_of_how_it_is_written() -> None:
    other = "# a comment\n" + WHOLE.replace("[files]", "\n    - files").replace("A soul", "'A soul'")
    assert parse("mine", "You are.", WHOLE).digest == parse("mine", "You are.", other).digest
    for changed in (WHOLE.replace("tests", "test"), WHOLE.replace("enforced", "forbidden")):
        assert parse("mine", "You are.", WHOLE).digest != parse("mine", "You are.", changed).digest
    assert parse("mine", "You are.", WHOLE).digest != parse("mine", "You are not.", WHOLE).digest


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("titel: x", "1: titel is no key of a soul. Did you mean title?"),
        ("title: x\n\nfoo: 1", "3: foo is no key of a soul. There are title"),
        ("title: x\ntitle: y", "2: title is said twice"),
        ("title: []", "1: title must be a text"),
        ("title: ''", "1: title must be a text"),
        (f"title: {'x' * 201}", "1: title must be a text of 1 to 200 letters"),
        ("- a", "1: must be a mapping"),
        ("a: [", "2: is no YAML"),
        ("title: x\n  bad: y", "2: is no YAML"),
        ("--- a\n--- b", "2: is no YAML"),
        ("[" * 30_000, "1: is nested deeper than 16 levels"),
        ("- " * 30_000, "1: is nested deeper than 16 levels"),
        ("toolsets: files", "1: toolsets must be a mapping of enforced"),
        ("toolsets:\n  enforce: []", "2: toolsets.enforce is no list of a soul. Did you mean enforced?"),
        ("toolsets:\n  enforced: files", "2: toolsets.enforced must be a list"),
        ("toolsets:\n  enforced: [file]", "2: there is no toolset 'file'. Did you mean files?"),
        ("toolsets:\n  enforced: [files, files]", "2: files is said twice"),
        ("toolsets:\n  enforced: [files]\n  enforced: [terminal]", "3: toolsets.enforced is said twice"),
        ("toolsets:\n  enforced: [[files]]", "2: there is no toolset 'a list or mapping'"),
        (
            "toolsets:\n  enforced: [files]\n  forbidden: [files]",
            "3: files is forbidden here and enforced above; choose one",
        ),
        (
            "toolsets:\n  forbidden:\n    - files\n  optional:\n    - files",
            "5: files is optional here and forbidden above",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(manifest: str, problem: str) -> None:
    found = problems(manifest)
    assert any(line.startswith("souls/mine/manifest.yaml:") and problem in line for line in found), found


def test_all_problems_are_said_at_once() -> None:
    assert len(problems("titel: x\nfoo: y\ntoolsets:\n  enforced: [nope]", text=" ")) == 4


def test_aliases_that_multiply_are_not_spelled_out() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(["a0: &a0 [x]", *rows, "toolsets:", "  enforced: [*a11]", "? *a11\n: x"])
    assert any("there is no toolset 'a list or mapping'" in line for line in problems(bomb))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"x" * (MAX_BYTES + 1), "larger than 65536 bytes"),
        (b"fine\nb\xffd", "soul.md:2: is not UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    (tmp_path / "manifest.yaml").write_text(WHOLE)
    if content is not None:
        (tmp_path / "soul.md").write_bytes(content)
    with pytest.raises(SoulInvalid, match=says):
        read(tmp_path)

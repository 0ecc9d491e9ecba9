"""The forms of a policy: canonical text, digest, what is static, what differs, and the published schema."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from signet.policy import builtin, places, read, schema, sections
from signet.policy.canonical import digest, dump, load
from signet.policy.diff import changes
from signet.policy.document import parse
from signet.policy.static import static_digest

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (DOCS / "policy.md").read_text(), re.DOTALL)
BASE = "version: 1\nnetwork: {a: {endpoints: [{host: x.org}]}}\n"


def test_the_canonical_form_does_not_depend_on_how_it_was_written() -> None:
    one = parse(
        "version: 1\nresources: {memory: 2GiB, wall: 1h}\nnetwork:\n  b: {endpoints: [{host: X.org}]}\n"
        "  a: {endpoints: [{host: y.org, port: 443}]}"
    )
    other = parse(
        'network: {a: {endpoints: [{host: "y.org."}]}, b: {endpoints: [{host: x.org}]}}\n'
        "resources: {wall: 60m, memory: 2048MiB}\nversion: 1\n"
    )
    assert dump(one) == dump(other)
    assert digest(one) == digest(other)
    assert " " not in dump(one)


def test_the_canonical_form_holds_the_blocks_of_presets() -> None:
    text = dump(parse("version: 1\npresets: [python-packages]"))
    assert "preset.python-packages" in json.loads(text)["network"]
    assert dump(load(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"version":2}',
        '{"version":1,"x":1}',
        "[" * 100_000,
        '"version"',
        '{"version":1,"network":{"a":{"endpoints":[{"host":"*.org"}]}}}',
    ],
)
def test_a_canonical_form_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load(text)


@pytest.mark.parametrize(
    ("more", "static"),
    [
        ("tier: strict", True),
        ("landlock: best_effort", True),
        ("filesystem: {workspace: off}", True),
        ("process: {open_files: 512}", True),
        ("resources: {pids: 100}", True),
        ("enforcement: audit", False),
        ("description: other", False),
        ("presets: [git-github]", False),
        ("commands: {deny: [x]}", False),
        ("secrets: {a: {secret: a, env: A, host: x.org}}", False),
        ("apis: [search]", False),
        ("approvals: {network: ask}", False),
    ],
)
def test_what_needs_a_new_sandbox_is_told_apart(more: str, *, static: bool) -> None:
    old, new = parse(BASE), parse(BASE + more)
    assert (static_digest(old) != static_digest(new)) == static
    assert {change.static for change in changes(old, new)} == {static}
    assert digest(old) != digest(new)


def test_changes_say_where_what_was_and_what_is() -> None:
    new = parse(
        "version: 1\nresources: {memory: 4GiB}\napprovals: {wait: 1h}\nnetwork: {a: {endpoints: "
        "[{host: x.org, access: read-only}]}, b: {endpoints: [{host: '*.y.org'}]}}"
    )
    assert [str(change) for change in changes(parse(BASE), new)] == [
        "~ approvals.wait: 10m -> 1h",
        "+ network.a.endpoints[0].access: read-only",
        '+ network.b: {endpoints: [{host: "*.y.org", port: 443, tls: auto}]}',
        "~ resources.memory: 2GiB -> 4GiB (needs a new sandbox)",
    ]
    assert changes(new, new) == ()
    assert [str(change)[0] for change in changes(new, parse(BASE))] == ["~", "-", "-", "~"]


def test_an_added_block_is_shown_as_a_document_takes_it() -> None:
    (change,) = changes(parse("version: 1"), parse(BASE + "description: ''"))
    assert parse(f"version: 1\nnetwork: {{a: {change.after}}}") == parse(BASE)


def test_the_published_schema_is_the_one_that_is_generated() -> None:
    assert (DOCS / "policy.schema.json").read_text() == schema.text(), "python -m signet.policy.schema"


def test_the_schema_has_exactly_the_keys_that_are_read() -> None:
    whole = schema.schema()
    of = whole["properties"]
    block = of["network"]["additionalProperties"]
    endpoint = block["properties"]["endpoints"]["items"]
    shown = {
        read.KEYS: whole,
        sections.FILESYSTEM: of["filesystem"],
        sections.PROCESS: of["process"],
        sections.RESOURCES: of["resources"],
        sections.COMMANDS: of["commands"],
        sections.APPROVALS: of["approvals"],
        places.BLOCK: block,
        places.ENDPOINT: endpoint,
        places.RULE: endpoint["properties"]["deny"]["items"],
        places.SECRET: of["secrets"]["additionalProperties"],
    }
    for keys, part in shown.items():
        assert set(part["properties"]) == set(keys)
        assert part["additionalProperties"] is False


def test_the_schemas_defaults_are_those_of_a_policy_that_says_nothing() -> None:
    said: dict[str, Any] = {}
    for name, part in schema.schema()["properties"].items():
        if "default" in part:
            said[name] = part["default"]
        inner = {key: value["default"] for key, value in part.get("properties", {}).items() if "default" in value}
        if inner:
            said[name] = inner
    assert parse(json.dumps({"version": 1, **said})) == parse("version: 1")


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_the_documentation_is_a_policy(text: str) -> None:
    policy = parse(text)
    assert load(dump(policy)) == policy


def test_the_documentation_names_every_key_and_built_in_policy() -> None:
    text = (DOCS / "policy.md").read_text()
    keys = {*read.KEYS, *sections.RESOURCES, *sections.PROCESS, *sections.FILESYSTEM, *places.ENDPOINT, *places.SECRET}
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`[^`]+`|```yaml.*?```", text, re.DOTALL))))
    assert keys <= named
    assert all(f"| `{name}` |" in text for name in builtin.documents())


@pytest.mark.parametrize("name", sorted(builtin.documents()))
def test_a_built_in_policy_is_the_same_after_its_canonical_form(name: str) -> None:
    policy = parse(builtin.documents()[name])
    assert load(dump(policy)) == policy

"""The document: what is taken, and what is said of bad ones, with the line."""

from pathlib import Path

import pytest

from signet.policy import builtin, presets
from signet.policy.document import PolicyInvalid, parse, preset
from signet.policy.model import Endpoint, Rule, SecretUse

WHOLE = """
version: 1
description: Everything said
presets: [python-packages]
tier: strict
enforcement: audit
landlock: best_effort
filesystem: {workspace: off, read_only: [/srv/data], read_write: [/srv/out]}
process: {user: agent, open_files: 512, file_bytes: 10MiB}
resources: {memory: 1.5GiB, cpu: 0.5, pids: 64, disk: 0, tmp: 64 MiB, wall: 15m}
network:
  github:
    endpoints:
      - {host: API.github.com., rules: [{method: GET, path: /repos/**}], deny: [{method: "*", path: /admin/**}]}
      - {host: db.internal, port: 5432, tls: pass, allowed_ips: [10.0.0.0/8, 127.0.0.1]}
    binaries: [/usr/bin/git]
commands: {default: ask, allow: [git *], deny: ["rm *"], ask: [git push *]}
secrets:
  github: {secret: github-token, env: GITHUB_TOKEN, host: api.github.com, header: Authorization}
apis: [weather, search]
approvals: {network: ask, wait: 1h, hold: 30s}
"""


def problems(text: str) -> list[str]:
    """Give what is wrong with a document."""
    with pytest.raises(PolicyInvalid) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_everything_that_is_said_is_read() -> None:
    policy = parse(WHOLE)
    assert (policy.tier, policy.enforcement, policy.landlock) == ("strict", "audit", "best_effort")
    assert policy.filesystem.workspace == "off"
    assert policy.resources.memory_bytes == 3 * 512 * 1024 * 1024
    assert (policy.resources.cpu, policy.resources.disk_bytes, policy.resources.wall_seconds) == (0.5, 0, 900)
    assert (policy.approvals.network, policy.approvals.wait_seconds, policy.approvals.hold_seconds) == ("ask", 3600, 30)
    assert [block.name for block in policy.network.blocks] == ["github", "preset.python-packages"]
    assert policy.network.blocks[0].endpoints == (
        Endpoint("api.github.com", rules=(Rule("GET", "/repos/**"),), deny=(Rule("*", "/admin/**"),)),
        Endpoint("db.internal", 5432, tls="pass", allowed_ips=("10.0.0.0/8", "127.0.0.1")),
    )
    assert policy.secrets == (SecretUse("github", "github-token", "GITHUB_TOKEN", "api.github.com"),)
    assert policy.commands.ask == ("git push *",)
    assert policy.apis == ("search", "weather")


def test_the_smallest_document_denies_every_place() -> None:
    policy = parse("version: 1\n")
    assert policy.network.blocks == ()
    assert policy.secrets == ()
    assert policy.apis == ()
    assert policy.enforcement == "enforce"


def test_unknown_keys_are_named_with_line_and_the_near_one() -> None:
    assert problems("version: 1\nnetworks: {}\nresources:\n  memroy: 1GiB\n") == [
        "line 2: networks: is no key here. Did you mean network?",
        "line 4: resources.memroy: is no key here. Did you mean memory?",
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "must be a mapping"),
        ("- version: 1", 1, "must be a mapping"),
        ("tier: strict", 1, "lacks version"),
        ("version: 2", 1, "from 1 to 1"),
        ('version: "1"', 1, "whole number"),
        ("version: 1\nversion: 1", 2, "said twice"),
        ("version: 1\ntier: \tx: [", 2, "is no YAML"),
        ("version: 1\n---\nversion: 1", 2, "second document"),
        ("version: &a 1", 1, "anchors"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: [{method: *}]}]}}", 2, "is no YAML"),
        ("version: 1\ntier: *a", 2, "in quotes"),
        ("version: !!int 1", 1, "tags"),
        ("version: 1\npresets: [pyhton-packages]", 2, "Did you mean python-packages"),
        ("version: 1\npresets: [git-github, git-github]", 2, "said twice"),
        ("version: 1\nfilesystem: {read_write: [/]}", 2, "never shown"),
        ("version: 1\nfilesystem: {read_only: [/run/docker.sock]}", 2, "never shown"),
        ("version: 1\nfilesystem: {read_write: [/etc/cron.d]}", 2, "never writable"),
        ("version: 1\nfilesystem: {read_only: [/srv/../etc]}", 2, "plain path"),
        ("version: 1\nfilesystem: {read_only: [srv]}", 2, "absolute"),
        ("version: 1\nfilesystem: {read_only: [/srv], read_write: [/srv]}", 2, "choose one"),
        ("version: 1\nprocess: {user: root}", 2, "never root"),
        ("version: 1\nprocess: {open_files: 10}", 2, "from 128"),
        ("version: 1\nresources: {memory: 2 gigs}", 2, "64MiB to"),
        ("version: 1\nresources: {memory: -1}", 2, "amount"),
        ("version: 1\nresources: {cpu: many}", 2, "number from 0.05"),
        ("version: 1\nresources: {wall: 2w}", 2, "amount"),
        ("version: 1\nnetwork: {A b: {endpoints: []}}", 2, "a block's name"),
        ("version: 1\nnetwork: {preset.x: {endpoints: []}}", 2, "a block's name"),
        ("version: 1\nnetwork: {a: {}}", 2, "lacks endpoints"),
        ("version: 1\nnetwork: {a: {endpoints: [{port: 1}]}}", 2, "lacks host"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: '*.org'}]}}", 2, "whole first label"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: '*.co.uk'}]}}", 2, "whole first label"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: 'a*.example.org'}]}}", 2, "whole first label"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: 'a.*.example.org'}]}}", 2, "whole first label"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: 'https://x.org'}]}}", 2, "without scheme"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: 'x.org:443'}]}}", 2, "a key of its own"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, port: 0}]}}", 2, "from 1 to 65535"),
        (
            "version: 1\nnetwork: {a: {endpoints: [{host: x.org, access: full, rules: [{method: GET}]}]}}",
            2,
            "choose one",
        ),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: []}]}}", 2, "lets nothing through"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, deny: [{}]}]}}", 2, "says nothing"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, tls: pass, access: read-only}]}}", 2, "does not show"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: [{method: get}]}]}}", 2, "capitals"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: [{path: /a/../b}]}]}}", 2, "dot segment"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: [{path: /a%2f}]}]}}", 2, "decoded"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, rules: [{path: /a**}]}]}}", 2, "whole segments"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, allowed_ips: [127.0.0.0/8]}]}}", 2, "exact address"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, allowed_ips: [0.0.0.0/0]}]}}", 2, "covers"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, allowed_ips: [224.0.0.1]}]}}", 2, "nothing opens"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org, allowed_ips: [x]}]}}", 2, "no address"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org}], binaries: []}}", 2, "leave it out"),
        ("version: 1\nnetwork: {a: {endpoints: [{host: x.org}], binaries: [curl]}}", 2, "absolute"),
        ("version: 1\ncommands: {default: maybe}", 2, "allow, ask, deny"),
        ("version: 1\ncommands: {allow: git *}", 2, "must be a list"),
        ("version: 1\nsecrets: {a: {secret: a, env: A}}", 2, "lacks host"),
        ("version: 1\napis: [Search]", 2, "no API's name"),
        ("version: 1\napis: [apis/search]", 2, "no API's name"),
        ("version: 1\napis: [search, search]", 2, "said twice"),
        ("version: 1\napis: {search: yes}", 2, "must be a list"),
        (f"version: 1\napis: [{', '.join(f'a{n}' for n in range(65))}]", 2, "at most 64"),
        ("version: 1\nsecrets: {a: {secret: a, env: A, host: '*.x.org'}}", 2, "one place"),
        ("version: 1\nsecrets: {a: {secret: a, env: LD_PRELOAD, host: x.org}}", 2, "steers programs"),
        ("version: 1\nsecrets: {a: {secret: a, env: https_proxy, host: x.org}}", 2, "capitals"),
        ("version: 1\nsecrets: {a: {secret: a, env: A, host: x.org, header: host}}", 2, "frames"),
        (
            "version: 1\nsecrets:\n  a: {secret: a, env: A, host: x.org}\n  b: {secret: b, env: A, host: y.org}",
            4,
            "another",
        ),
        (
            "version: 1\nnetwork: {a: {endpoints: [{host: x, tls: pass}]}}\nsecrets: {a: {secret: a, env: A, host: x}}",
            3,
            "tls: pass",
        ),
        ("version: 1\napprovals: {hold: 5m}", 2, "0s to 2m"),
        ("version: 1\na: " + "{a: " * 17, 2, "deeper"),
        ("version: 1\ndescription: " + "x" * 300_000, 1, "larger than"),
        ("version: 1\ndescription: \x00", 1, "is no YAML"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(text: str, line: int, said: str) -> None:
    found = problems(text)
    assert any(one.startswith(f"line {line}: ") and said in one for one in found), found


def test_all_problems_are_told_at_once_in_the_order_of_the_document() -> None:
    found = problems("version: 1\ntier: x\nnetwork:\n  a: {endpoints: [{host: '*'}, {hots: b.org}]}\nlandlock: y\n")
    assert [one.split(":")[0] for one in found] == ["line 2", "line 4", "line 4", "line 5"]


def test_nesting_that_would_end_the_process_is_told_like_any_other_problem() -> None:
    assert "deeper" in problems("version: 1\na: " + "[" * 50_000)[0]


@pytest.mark.parametrize("name", sorted(builtin.documents()))
def test_the_policies_that_come_with_it_are_right(name: str) -> None:
    assert parse(builtin.documents()[name]).description


def test_the_default_policy_reaches_nothing_by_itself() -> None:
    policy = parse(builtin.documents()[builtin.DEFAULT])
    assert (policy.network.blocks, policy.tier, policy.filesystem.workspace) == ((), "standard", "read-write")


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_a_block_that_says_what_it_is_for(name: str) -> None:
    block = preset(name)
    assert block.name == f"preset.{name}"
    assert block.endpoints
    assert presets.text(name).startswith("description: ")
    assert f"`{name}`" in (Path(__file__).resolve().parents[3] / "docs/policy.md").read_text()


def test_an_unknown_preset_is_no_file_of_the_host() -> None:
    with pytest.raises(KeyError):
        presets.text("../builtin")

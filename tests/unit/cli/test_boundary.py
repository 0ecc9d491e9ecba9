"""Policies, approvals, grants, secrets and sandboxes from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from signet.v1 import approvals_pb2, events_pb2, policies_pb2
from tests.fakes.boundary import DOCUMENT, WIDER, answered, asks, reaching
from tests.fakes.control import text
from tests.fakes.hosted import Hosted
from tests.unit.cli.conftest import Cli

READER = """\
version: 1
network:
  git:
    endpoints:
      - {host: api.github.com, access: read-only}
    binaries: [/usr/bin/git]
commands: {deny: ["rm *"]}
"""
BAD = "version: 1\nnetwork:\n  git:\n    endpoints:\n\t  - x\n"
TYPO = "version: 1\ntiers: strict\n"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "reader.yaml"
    path.write_text(READER)
    return path


def shape(cli: Cli, *args: str, code: int = 0) -> Any:
    done = cli.run(*args, "-o", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_problem_is_shown_at_its_place(tmp_path: Path) -> None:
    cli = Cli(tmp_path)  # and no fleet is needed
    path = tmp_path / "bad.yaml"
    path.write_text(TYPO)

    done = cli.run("policy", "validate", str(path))

    assert done.returncode == 1
    where, line, caret = done.stdout.splitlines()
    assert where.startswith(f"{path}:2:1: tiers")
    assert "tier" in where
    assert (line, caret) == ("  2 | tiers: strict", "    | ^")
    found = shape(cli, "policy", "validate", str(path), code=1)
    assert (found["valid"], found["problems"][0]["line"], found["problems"][0]["column"]) == (False, 2, 1)


def test_a_document_comes_from_a_pipe_too(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert cli.run("policy", "validate", "-", stdin=READER.encode()).returncode == 0
    assert "standard input:5" in cli.run("policy", "validate", "-", stdin=BAD.encode()).stdout
    assert cli.run("policy", "validate", "-", stdin=b"\xff").returncode == 2
    assert cli.run("policy", "validate", "-", stdin=b"#" * 300_000).returncode == 2
    assert cli.run("policy", "validate", str(tmp_path / "none.yaml")).returncode == 1


@pytest.mark.parametrize(
    ("args", "verdict", "rule"),
    [
        (("https://api.github.com/user", "--binary", "/usr/bin/git"), "allow", "network.git.endpoints[0]"),
        (("api.github.com:443", "--binary", "/usr/bin/git"), "allow", "network.git.endpoints[0]"),
        (("https://api.github.com/user", "--binary", "/usr/bin/git", "--method", "POST"), "deny", "default"),
        (("https://api.github.com/user", "--binary", "/usr/bin/wget"), "deny", "default"),
        (("https://evil.example.org/",), "deny", "default"),
        (("[::1]:80",), "deny", "default"),
        (("--command", "rm -rf build"), "deny", "commands.deny[0]"),
        (("--command", "ls"), "allow", "commands.default"),
    ],
)
def test_a_trial_says_which_rule_decided(
    tmp_path: Path, document: Path, args: tuple[str, ...], verdict: str, rule: str
) -> None:
    found = shape(Cli(tmp_path), "policy", "test", "-f", str(document), *args, code=0 if verdict == "allow" else 7)

    assert found["verdict"] == verdict
    assert found["rule"].startswith(rule) or rule == "commands.default"


def test_a_trial_of_an_agent_asks_for_what_is_in_force(cli: Cli) -> None:
    assert cli.run("policy", "test", "assistant", "https://example.org/").returncode == 7
    assert cli.run("policy", "test", "https://example.org/").returncode == 7
    assert cli.run("policy", "test", "asistant", "https://example.org/").returncode == 3


@pytest.mark.parametrize("args", [(), ("a", "b", "c"), ("ftp://x/",), ("x:99999",), ("--command", "ls", "a", "b")])
def test_a_trial_of_nothing_is_refused(cli: Cli, args: tuple[str, ...]) -> None:
    assert cli.run("policy", "test", *args).returncode == 2


def test_a_policys_life(cli: Cli, fleet: Hosted, document: Path) -> None:
    wider = document.with_name("wider.yaml")
    wider.write_text(WIDER)
    assert cli.run("policy", "apply", "scout", str(document)).returncode == 0

    dry = cli.run("policy", "apply", "scout", str(wider), "--dry-run")
    assert "would change" in dry.stdout
    done = cli.run("policy", "apply", "scout", str(wider), "--expect", "1")
    assert "policies/scout version 2 is loaded in 1 of 1 sandboxes" in done.stdout
    request = fleet.state.asked(policies_pb2.ApplyPolicyRequest)[-1]
    assert (request.expected_version, request.document) == (1, WIDER)

    assert cli.run("policy", "show", "scout").stdout == WIDER
    assert cli.run("policy", "show", "scout", "--version", "1").stdout == READER
    assert [row["version"] for row in shape(cli, "policy", "versions", "scout")] == [2, 1]
    changed = shape(cli, "policy", "diff", "scout", "1", "2")
    assert any(row["where"].startswith("network.site") and row["after"] for row in changed)
    assert shape(cli, "policy", "diff", "scout", str(wider)) == []
    assert "they allow the same" in cli.run("policy", "diff", "scout", "v2").stdout
    assert cli.run("policy", "undo", "scout").returncode == 0
    assert cli.run("policy", "show", "scout").stdout == READER
    assert cli.run("policy", "delete", "scout", "--yes").returncode == 0
    assert cli.run("policy", "show", "scout").returncode == 3
    assert cli.run("policy", "delete", "default", "--yes").returncode == 6
    assert cli.run("policy", "undo", "default").returncode == 6


def test_a_bad_document_is_not_applied_and_shown_at_its_place(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("tiers: strict\nversion: 1\n")

    done = cli.run("policy", "apply", "reader", str(path))

    assert done.returncode == 2
    assert f"{path}:1:1: tiers" in done.stderr
    error = json.loads(cli.run("policy", "apply", "reader", str(path), "-o", "json").stderr)["error"]
    assert error["reason"] == "POLICY_INVALID"


def test_what_is_in_force_for_an_agent(cli: Cli) -> None:
    assert '"version": 1' in cli.run("policy", "show", "--effective", "assistant").stdout
    assert shape(cli, "policy", "show", "--effective", "assistant")["digest"] == "a" * 64
    assert cli.run("policy", "show").returncode == 2
    assert cli.run("policy", "show", "x", "--effective", "y").returncode == 2


def test_presets_and_schema_need_no_fleet(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert "python-packages" in cli.run("policy", "presets").stdout
    assert "endpoints:" in cli.run("policy", "presets", "python-packages").stdout
    assert "Did you mean `python-packages`" in cli.run("policy", "presets", "python-package").stderr
    assert json.loads(cli.run("policy", "schema").stdout)["title"] == "Signet policy"


def test_an_agent_has_a_policy(cli: Cli) -> None:
    assert shape(cli, "agent", "create", "scout", "--policy", "reader")["policy"] == "policies/reader"
    assert shape(cli, "agent", "update", "scout", "--policy", "default")["policy"] == "policies/default"
    assert "default" in cli.run("agent", "show", "scout").stdout


def test_approvals_are_listed_shown_and_answered(cli: Cli, fleet: Hosted) -> None:
    first, second = fleet.state.boundary.ask(), fleet.state.boundary.ask(command="git push")
    listed = cli.run("approvals").stdout
    assert "connect to api.example.org:443 (curl)" in listed
    assert 'run "git push"' in listed
    assert cli.run("approvals", "list").stdout == listed
    assert [row["name"] for row in shape(cli, "approvals")] == [second, first]
    assert "could send anything to api.example.org" in cli.run("approvals", "show", first).stdout

    done = cli.run("approve", first.partition("/")[2], "--for", "2h")
    assert "assistant may connect to api.example.org:443" in done.stdout
    (request,) = fleet.state.asked(approvals_pb2.AnswerApprovalRequest)
    assert (request.scope, request.hold_seconds) == (policies_pb2.GRANT_SCOPE_AGENT, 7200)
    assert cli.run("deny", "last").returncode == 0
    assert "nothing waits" in cli.run("approvals").stdout
    assert cli.run("deny", first).returncode == 6
    assert cli.run("approve", "last").returncode == 3
    assert len(shape(cli, "approvals", "list", "--all")) == 2

    (grant,) = shape(cli, "grant", "list")
    assert "may no longer connect to" in cli.run("grant", "revoke", "last").stdout
    assert "no grant" in cli.run("grant", "list").stdout
    assert "revoked" in cli.run("grant", "list", "--all").stdout
    assert grant["scope"] == "AGENT"


@pytest.mark.parametrize(
    ("flags", "scope", "hold"),
    [
        ((), 0, 0),
        (("--once",), 1, 0),
        (("--session",), 2, 0),
        (("--always",), 3, 0),
        (("--session", "--for", "30m"), 2, 1800),
    ],
)
def test_a_yes_reaches_as_far_as_is_said(
    cli: Cli, fleet: Hosted, flags: tuple[str, ...], scope: int, hold: int
) -> None:
    name = fleet.state.boundary.ask()

    assert cli.run("approve", name, *flags).returncode == 0

    (request,) = fleet.state.asked(approvals_pb2.AnswerApprovalRequest)
    assert (request.scope, request.hold_seconds) == (scope, hold)


def test_once_has_no_time(cli: Cli, fleet: Hosted) -> None:
    name = fleet.state.boundary.ask()
    assert cli.run("approve", name, "--once", "--for", "2h").returncode == 2
    assert cli.run("approve", name, "--for", "soon").returncode == 2


def test_a_secret_comes_by_pipe_or_file_and_never_comes_out(cli: Cli, fleet: Hosted, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from-file\n")

    said = [
        cli.run("secret", "put", "a", stdin=b"from-pipe\n"),
        cli.run("secret", "put", "b", "--file", str(tmp_path / "value"), "--owner", "assistant", "-o", "json"),
        cli.run("secret", "list"),
    ]

    assert [done.returncode for done in said] == [0] * 3
    values = {name: value for name, (_, value) in fleet.state.boundary.secrets.items()}
    assert values == {"secrets/a": "from-pipe", "secrets/b": "from-file"}
    assert not any("from-" in done.stdout + done.stderr for done in said)
    assert cli.run("secret", "delete", "a").returncode == 2
    assert cli.run("secret", "delete", "a", "--yes").returncode == 0
    assert cli.run("secret", "delete", "a", "--yes").returncode == 3


def test_a_secret_comes_from_the_environment_and_is_a_users_or_an_agents(
    cli: Cli, fleet: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", "from-environment")
    done = cli.run("secret", "put", "a", "--env", "PLANTED", "--user", "operator")
    assert done.returncode == 0, done.stderr
    (kept, value) = fleet.state.boundary.secrets["secrets/a"]
    assert (kept.owner, value) == ("tokens/operator", "from-environment")
    shown = cli.run("secret", "list").stdout
    assert "tokens/operator" in shown
    assert "stored" in shown
    for words in (
        ("put", "a", "--env", "NOT_THERE"),
        ("put", "a", "--env", "PLANTED", "--file", "x"),
        ("put", "a", "--env", "PLANTED", "--user", "operator", "--owner", "assistant"),
    ):
        refused = cli.run("secret", *words)
        assert refused.returncode == 2
        assert "from-environment" not in refused.stdout + refused.stderr
    assert cli.run("secret", "delete", "a", "--user", "operator", "--yes").returncode == 0


def test_the_vault_is_shown_and_its_key_changed(cli: Cli, fleet: Hosted) -> None:
    cli.run("secret", "put", "a", stdin=b"value")
    before = cli.run("vault", "status")
    assert "ffffffffffffffff" in before.stdout
    done = cli.run("vault", "rotate")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("0000000000000001") < done.stdout.index("ffffffffffffffff")
    assert "back up" in done.stdout + done.stderr
    fleet.state.boundary.problem = "keys/vault.key is missing"
    assert "keys/vault.key is missing" in cli.run("vault", "status").stdout


@pytest.mark.parametrize("value", [b"", b"\n", b"two\nlines", b"nul\0", b"\xff", b"x" * 70_000])
def test_a_bad_secret_is_refused_without_being_shown(cli: Cli, fleet: Hosted, value: bytes) -> None:
    done = cli.run("secret", "put", "a", stdin=value)

    assert done.returncode == 2
    assert not fleet.state.boundary.secrets
    assert "lines" not in done.stderr or "several lines" in done.stderr
    assert cli.run("secret", "put", "a", "value-as-argument").returncode == 2


def test_a_sandbox_is_shown_layer_by_layer(cli: Cli) -> None:
    shown = cli.run("sandbox", "show", "local.assistant-1").stdout

    assert "✓  network namespace  enforced  no route" in shown
    assert "~  landlock           partial   ABI 4: no device ioctl" in shown
    assert "✗  limits             absent" in shown
    assert cli.run("sandbox", "show", "assistant").stdout == shown
    assert cli.run("sandbox", "show", "nobody").returncode == 3
    assert "deny api.example.org:443 by default" in cli.run("sandbox", "logs", "assistant").stdout
    lines = cli.run("sandbox", "logs", "assistant", "-f", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["egress", "egress", "idle"]
    assert cli.run("sandbox", "stop", "assistant").returncode == 0
    assert "no sandbox is open" in cli.run("sandbox", "list").stdout


def test_a_busy_sandbox_is_stopped_by_force_only(cli: Cli, fleet: Hosted) -> None:
    fleet.state.boundary.sandboxes["sandboxes/local.assistant-1"].run = "runs/x"
    assert cli.run("sandbox", "stop", "local.assistant-1").returncode == 6
    assert cli.run("sandbox", "stop", "local.assistant-1", "--force").returncode == 0


def test_documents_are_what_they_were(cli: Cli) -> None:
    assert cli.run("policy", "show", "default", "-q").stdout == DOCUMENT
    assert not cli.run("policy", "show", "default", "-q").stderr


def test_what_a_run_reached_and_asked_stands_in_its_timeline(cli: Cli, fleet: Hosted) -> None:
    name = fleet.state.boundary.ask()
    loaded = events_pb2.PolicyLoaded(policy="policies/reader", version=2, closed=1)
    fleet.state.scripts["reach"] = (
        *reaching(), asks(name, "connect to api.example.org:443"), answered(name, "APPROVED"),
        events_pb2.RunEvent(policy_loaded=loaded), text("Done."),
    )  # fmt: skip

    watched = cli.run("run", "assistant", "reach").stderr
    shown = cli.run("runs", "show", "last").stdout

    assert f"signet approve {name.partition('/')[2]}" in watched
    assert "packages.example.org" not in watched  # what is let through is only told afterwards
    assert "✓ curl → packages.example.org:443 (2 times)  network.preset.python-packages.endpoints[0]" in shown
    for said in (watched, shown):
        assert "✗ curl → api.example.org:443 (2 times)  denied by default: nothing lets" in said
        assert "~ curl → x.example.org:443 (2 times)  would be denied" in said
        assert "? asks to connect to api.example.org:443" in said
        assert "✓ approved by tokens/operator" in said
        assert "policy reader version 2, and its grants; 1 connection closed" in said
    lines = [json.loads(line) for line in cli.run("runs", "watch", "last", "-o", "jsonl").stdout.splitlines()]
    assert [line["egress_decided"]["verdict"] for line in lines if "egress_decided" in line] == [
        "allow",
        "deny",
        "audit",
    ]

"""The nouns and their verbs: stable shapes, clear refusals, nothing secret on the way."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signet.kit.home import Home
from signet.v1 import agents_pb2, runs_pb2
from tests.fakes.hosted import Hosted
from tests.unit.cli.conftest import Cli

SHAPES = {
    "agent": {
        "name", "description", "soul", "toolsets", "runtime", "model", "limits", "create_time", "update_time",
        "delete_time", "etag", "policy",
    },
    "policy": {
        "name", "description", "version", "newest_version", "agents", "built_in", "create_time", "update_time"
    },
    "sandbox": {
        "name", "agent", "worker", "run", "state", "detail", "tier", "policy", "policy_version", "policy_digest",
        "policy_problem", "outdated", "isolation", "open_time", "sidecar_restarts", "memory_bytes", "processes",
        "workspace_bytes", "policy_problem_version",
    },
    "soul": {
        "name", "title", "description", "category", "text", "toolsets", "origin", "digest", "problems", "version"
    },
    "model": {
        "name", "provider", "upstream_model", "profile", "digest", "state", "state_detail", "is_default",
        "input_price_microusd_per_million", "output_price_microusd_per_million",
    },
    "provider": {
        "name", "kind", "base_url", "has_key", "models", "state", "state_detail", "input_price_microusd_per_million",
        "output_price_microusd_per_million", "create_time", "origin",
    },
    "worker": {
        "name", "state", "host", "version", "capacity", "active_runs", "sandboxes", "last_seen_time", "isolation",
        "draining",
    },
    "token": {"name", "title", "scope", "create_time", "expire_time", "revoke_time"},
}  # fmt: skip


def rows(cli: Cli, *args: str) -> Any:
    done = cli.run(*args, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("noun", SHAPES)
def test_a_list_is_an_array_of_the_golden_shape(cli: Cli, noun: str) -> None:
    found = rows(cli, noun, "list")

    assert found
    assert all(set(row) == SHAPES[noun] for row in found)
    lines = cli.run(noun, "list", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == found
    assert cli.run(noun, "list", "-o", "name").stdout.split() == [row["name"] for row in found]
    assert cli.run(noun, "list", "-o", "yaml").stdout.startswith("- name: ")
    assert cli.run(noun, "list", "--json").stdout == cli.run(noun, "list", "-o", "json").stdout


def test_an_agents_life(cli: Cli, fleet: Hosted) -> None:
    made = rows(cli, "agent", "create", "scout", "--description", "Looks around", "--max-rounds", "5")
    assert made["name"] == "agents/scout"
    assert made["limits"]["max_rounds"] == 5

    cli.run("agent", "update", "scout", "--max-seconds", "60", "--description", "Looks well")
    changed = rows(cli, "agent", "show", "scout")
    assert (changed["limits"]["max_rounds"], changed["limits"]["max_seconds"]) == (5, 60)
    assert changed["description"] == "Looks well"
    assert fleet.state.asked(agents_pb2.UpdateAgentRequest)[0].agent.etag == "1"

    assert cli.run("agent", "update", "scout").returncode == 2
    again = cli.run("agent", "create", "scout")
    assert again.returncode == 6
    assert "is there already" in again.stderr

    unsure = cli.run("agent", "delete", "scout")
    assert unsure.returncode == 2
    assert "say --yes" in unsure.stderr
    gone = cli.run("agent", "delete", "scout", "--yes")
    assert gone.returncode == 0
    assert "signet agent undelete scout" in gone.stderr
    assert [row["name"] for row in rows(cli, "agent", "list")] == ["agents/assistant"]
    assert len(rows(cli, "agent", "list", "--deleted")) == 2
    assert cli.run("agent", "undelete", "scout").returncode == 0


def test_what_is_not_there_exits_with_3_and_names_what_is_near(cli: Cli) -> None:
    for noun in ("agent", "soul", "model", "provider", "worker", "runs", "session"):
        done = cli.run(noun, "show", "nobody")
        assert done.returncode == 3, noun
        assert "try: " in done.stderr
    for line in ("run asistant hi", "chat asistant", "agent show asistant"):
        done = cli.run(*line.split())
        assert done.returncode == 3
        assert "Did you mean agents/assistant?" in done.stderr
    assert cli.run("agent", "create", "x", "--soul", "genral").returncode == 3


def test_errors_for_programs_are_json_on_standard_error(cli: Cli) -> None:
    done = cli.run("agent", "show", "nobody", "-o", "json")

    assert not done.stdout
    error = json.loads(done.stderr)["error"]
    assert (error["exit_code"], error["code"], error["reason"]) == (3, "NOT_FOUND", "AGENT_NOT_FOUND")


def test_an_agent_with_active_runs_exits_with_6(cli: Cli, fleet: Hosted) -> None:
    fleet.state.runs["runs/x"] = runs_pb2.Run(name="runs/x", agent="agents/assistant", cancel_requested=True)

    done = cli.run("agent", "delete", "assistant", "--yes")

    assert done.returncode == 6
    assert "active runs" in done.stderr


def test_no_fleet_exits_with_5_and_says_how_to_start_one(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for line in ("agent list", "run assistant hi", "chat assistant", "usage", "runs show last", "sign-in"):
        done = cli.run(*line.split())
        assert done.returncode == 5, line
        assert done.stderr == f"error: no fleet answers at {tmp_path}\n  try: start it with `signet up`\n"


@pytest.mark.parametrize("secret", ["sgt_wrong", ""])
def test_a_wrong_token_exits_with_4(cli: Cli, secret: str) -> None:
    home = Home(cli.data)
    remote = {"SIGNET_CONTROL": home.target("control.sock"), "SIGNET_TOKEN": secret}
    stranger = replace(cli, env=remote)

    done = stranger.run("agent", "list")

    assert done.returncode == 4
    assert "token" in done.stderr
    assert "sgt_wrong" not in done.stderr


def test_a_revoked_token_exits_with_4(cli: Cli) -> None:
    secret = cli.run("token", "create", "laptop", "--expires", "90d", "-o", "name").stdout.strip()
    laptop = replace(cli, env={"SIGNET_TOKEN": secret})
    assert laptop.run("agent", "list").returncode == 0
    name = rows(cli, "token", "list")[0]["name"]

    assert cli.run("token", "revoke", name).returncode == 0

    done = laptop.run("agent", "list")
    assert done.returncode == 4
    assert "was revoked" in done.stderr
    assert secret not in cli.run("token", "list").stdout
    assert cli.run("token", "create", "x", "--expires", "soon").returncode == 2


def test_keys_come_by_pipe_variable_or_file_and_never_come_out(cli: Cli, fleet: Hosted, tmp_path: Path) -> None:
    url = "https://api.example.org/v1"
    (tmp_path / "key").write_text("from-file\n")
    by_variable = replace(cli, env={"ACME_KEY": "from-variable"})

    said = [
        cli.run("provider", "add", "a", url, "--key-stdin", stdin=b"from-stdin\n"),
        by_variable.run("provider", "add", "b", url, "--key-env", "ACME_KEY", "-o", "json"),
        cli.run("provider", "add", "c", url, "--key-file", str(tmp_path / "key"), "--input-price", "0.15"),
        cli.run("provider", "show", "a"),
        cli.run("provider", "list", "-o", "json"),
    ]

    assert [done.returncode for done in said] == [0] * 5
    assert [fleet.state.keys[f"providers/{name}"] for name in "abc"] == ["from-stdin", "from-variable", "from-file"]
    assert not any("from-" in done.stdout + done.stderr for done in said)
    assert fleet.state.providers["providers/c"].input_price_microusd_per_million == 150_000


@pytest.mark.parametrize(
    ("args", "stdin", "says"),
    [
        (("--key-stdin",), b"", "is empty"),
        (("--key-stdin",), b"x" * 9000, "over 8 KiB"),
        (("--key-stdin",), b"secret\xff", "not ASCII"),
        (("--key-env", "NOT_THERE"), b"", "is not set"),
        (("--key-file", "/nonexistent"), b"", "/nonexistent: No such file"),
        (("--key-stdin", "--key-env", "HOME"), b"", "in one way"),
    ],
)
def test_a_bad_key_is_refused_without_being_shown(
    cli: Cli, fleet: Hosted, args: tuple[str, ...], stdin: bytes, says: str
) -> None:
    done = cli.run("provider", "add", "acme", "https://api.example.org/v1", *args, stdin=stdin)

    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert "secret" not in done.stderr
    assert "providers/acme" not in fleet.state.providers


def test_several_bad_fields_are_all_named(cli: Cli) -> None:
    done = cli.run("provider", "add", "acme", "ftp://x")

    assert done.returncode == 2
    assert "2 fields are bad" in done.stderr
    assert "provider.base_url: must be an http or https address" in done.stderr


def test_what_is_built_in_is_not_removed(cli: Cli) -> None:
    assert cli.run("provider", "remove", "embedded", "--yes").returncode == 6


def test_the_embedded_model_is_called_what_it_is(cli: Cli) -> None:
    for line in ("model list", "model show", "agent show assistant"):
        assert "a demonstration model" in cli.run(*line.split()).stdout, line
    assert "a demonstration model" in cli.run("chat", stdin=b"").stderr


def test_a_worker_shows_its_isolation_layer_by_layer(cli: Cli) -> None:
    shown = cli.run("worker", "show", "local").stdout
    assert cli.run("worker", "show").stdout == shown  # there is only one

    assert "network namespace  enforced  no route, 1 listener" in shown
    assert "landlock           partial   ABI 4: no device ioctl" in shown
    assert cli.run("worker", "drain", "local").returncode == 0
    assert rows(cli, "worker", "show", "local")["draining"] is True


def test_a_soul_of_ones_own(cli: Cli) -> None:
    folder = Path(cli.run("soul", "new", "night-owl").stdout.strip())
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.yaml", "soul.md"]
    assert cli.run("soul", "check", "night-owl").returncode == 0
    assert cli.run("soul", "new", "night-owl").returncode == 6
    assert cli.run("soul", "new", "Night Owl").returncode == 2

    manifest = folder / "manifest.yaml"
    manifest.write_text("title: Owl\ntoolset: x\ntoolsets:\n  enforced: [terminal]\n  forbidden: [terminal]\n")
    bad = cli.run("soul", "check", str(folder))
    assert bad.returncode == 1
    assert f"{manifest}:2: toolset is no key of a soul. Did you mean toolsets?" in bad.stdout
    assert f"{manifest}:5: terminal is forbidden here and enforced above" in bad.stdout
    assert cli.run("soul", "check", "nowhere").returncode == 3


def test_sessions_are_named_by_a_beginning(cli: Cli) -> None:
    cli.run("chat", "assistant", stdin=b"first words\n")
    name = rows(cli, "session", "list")[0]["name"]
    short = name.partition("/")[2][:13]

    assert cli.run("session", "rename", short, "Better title").returncode == 0
    assert "Better title" in cli.run("session", "list").stdout
    assert "first words" in cli.run("session", "show", short).stdout
    assert rows(cli, "session", "show", "last")["title"] == "Better title"
    assert cli.run("session", "delete", short, "--yes").returncode == 0
    assert rows(cli, "session", "list") == []


def test_usage_says_that_unknown_is_not_zero(cli: Cli) -> None:
    shown = cli.run("usage").stdout

    assert "unknown" in shown
    assert rows(cli, "usage")[0]["usage"]["cost_microusd"] is None
    assert cli.run("usage", "--by", "colour").returncode == 2


def test_a_link_signs_in_once(cli: Cli) -> None:
    assert cli.run("sign-in", "-q").stdout == "http://127.0.0.1:7400/sign-in?code=once-only\n"
    assert set(rows(cli, "sign-in")) == {"link", "code", "expire_time"}
    elsewhere = cli.run("sign-in", "--url", "https://box.example.org/", "-q")
    assert elsewhere.stdout == "https://box.example.org/sign-in?code=once-only\n"


def test_quiet_is_data_alone_and_colours_stay_out_of_pipes(cli: Cli) -> None:
    done = cli.run("run", "assistant", "hi", "--quiet")

    assert not done.stderr
    for line in ("worker list", "runs show last", "token list", "help exit-codes"):
        assert "\x1b" not in cli.run(*line.split()).stdout

"""Servers are found and added by commands to copy; keys are replaced and never seen; models say what they can."""

import json
import shlex

import pytest

from signet.v1 import models_pb2, providers_pb2
from tests.fakes.hosted import Hosted
from tests.unit.cli.conftest import Cli

OLLAMA = providers_pb2.Provider(
    name="providers/ollama-box", kind=providers_pb2.PROVIDER_KIND_OLLAMA, base_url="http://box:11434/v1",
    models=["qwen3:8b"], state=providers_pb2.PROVIDER_STATE_READY,
)  # fmt: skip
LOCKED = providers_pb2.Provider(
    name="providers/vllm-box", kind=providers_pb2.PROVIDER_KIND_VLLM, base_url="http://box:8000/v1",
    state=providers_pb2.PROVIDER_STATE_UNAVAILABLE, state_detail="it wants a key",
)  # fmt: skip
MINE = providers_pb2.Provider(
    name="providers/mine", kind=providers_pb2.PROVIDER_KIND_LLAMACPP, base_url="http://box:8080/v1", origin="user",
    state=providers_pb2.PROVIDER_STATE_READY,
)  # fmt: skip


@pytest.fixture
def box(fleet: Hosted) -> Hosted:
    fleet.state.found[:] = [OLLAMA, LOCKED, MINE]
    return fleet


def test_a_scan_shows_what_it_found_and_the_commands_that_add_it(cli: Cli, box: Hosted) -> None:
    done = cli.run("provider", "scan", "box", "other:8000")

    assert done.returncode == 0
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["ollama-box", "no", "ollama"],
        ["vllm-box", "no", "vllm"],
        ["mine", "yes", "llamacpp"],
    ]
    assert done.stderr.splitlines() == [
        "signet provider add ollama-box http://box:11434/v1 --kind ollama",
        "signet provider add vllm-box http://box:8000/v1 --kind vllm --key-stdin",
    ]
    assert list(box.state.asked(providers_pb2.ScanProvidersRequest)[0].hosts) == ["box", "other:8000"]
    assert "providers/ollama-box" not in box.state.providers


def test_the_commands_that_a_scan_prints_do_what_they_say(cli: Cli, box: Hosted) -> None:
    first, second = cli.run("provider", "scan", "box").stderr.splitlines()

    assert cli.run(*shlex.split(first)[1:]).returncode == 0
    assert cli.run(*shlex.split(second)[1:], stdin=b"sekret\n").returncode == 0

    kinds = [box.state.providers[f"providers/{name}"].kind for name in ("ollama-box", "vllm-box")]
    assert kinds == [providers_pb2.PROVIDER_KIND_OLLAMA, providers_pb2.PROVIDER_KIND_VLLM]
    assert box.state.keys["providers/vllm-box"] == "sekret"


def test_add_adds_what_is_new_and_needs_no_key(cli: Cli, box: Hosted) -> None:
    before = set(box.state.providers)

    done = cli.run("provider", "scan", "box", "--add", "-o", "json")

    assert [row["name"] for row in json.loads(done.stdout)] == ["providers/ollama-box"]
    assert done.stderr == "signet provider add vllm-box http://box:8000/v1 --kind vllm --key-stdin\n"
    assert set(box.state.providers) - before == {"providers/ollama-box"}


@pytest.mark.usefixtures("box")
def test_a_scan_is_data_for_programs(cli: Cli) -> None:
    found = json.loads(cli.run("provider", "scan", "box", "-o", "json").stdout)

    assert found[0]["kind"] == "OLLAMA"
    assert (found[0]["base_url"], found[0]["models"]) == ("http://box:11434/v1", ["qwen3:8b"])
    assert cli.run("provider", "scan", "box", "-o", "name").stdout.split()[0] == "providers/ollama-box"


def test_a_scan_of_nothing_is_a_mistake_and_one_that_finds_nothing_is_not(cli: Cli) -> None:
    assert cli.run("provider", "scan").returncode == 2
    done = cli.run("provider", "scan", "box")
    assert (done.returncode, done.stdout.strip()) == (0, "nothing that serves models")


def test_a_kind_that_is_not_given_is_left_to_be_found_out(cli: Cli, fleet: Hosted) -> None:
    cli.run("provider", "add", "a", "http://box/v1")
    cli.run("provider", "add", "b", "http://box/v1", "--kind", "lmstudio")

    kinds = [fleet.state.providers[f"providers/{name}"].kind for name in "ab"]
    assert kinds == [providers_pb2.PROVIDER_KIND_UNSPECIFIED, providers_pb2.PROVIDER_KIND_LMSTUDIO]
    wrong = cli.run("provider", "add", "c", "http://box/v1", "--kind", "embedded")
    assert (wrong.returncode, "ollama" in wrong.stderr) == (2, True)


def test_a_key_is_replaced_and_removed_and_never_shown(cli: Cli, fleet: Hosted) -> None:
    cli.run("provider", "add", "a", "http://box/v1")

    for stdin, args in ((b"first-key\n", ()), (b"second-key\n", ("--key-stdin",))):
        done = cli.run("provider", "key", "a", *args, stdin=stdin)
        assert (done.returncode, done.stdout) == (0, "providers/a has another key\n")
        assert fleet.state.keys["providers/a"] == stdin.decode().strip()
        assert "-key" not in done.stdout + done.stderr

    done = cli.run("provider", "key", "a", "--remove")
    assert (done.stdout, fleet.state.keys["providers/a"]) == ("providers/a has no key\n", "")


@pytest.mark.parametrize(
    ("said", "stdin", "code", "says"),
    [
        ("a", b"", 2, "is empty"),
        ("a --remove --key-stdin", b"x\n", 2, "a new key, or --remove"),
        ("a --key-env NOT_THERE", b"", 2, "is not set"),
        ("nobody", b"x\n", 3, "nobody"),
    ],
)
def test_a_key_that_is_none_changes_nothing(  # noqa: PLR0917 - a table's columns
    cli: Cli, fleet: Hosted, said: str, stdin: bytes, code: int, says: str
) -> None:
    cli.run("provider", "add", "a", "http://box/v1", "--key-stdin", stdin=b"kept\n")

    done = cli.run("provider", "key", *said.split(), stdin=stdin)

    assert (done.returncode, says in done.stderr) == (code, True)
    assert fleet.state.keys["providers/a"] == "kept"


def test_a_model_says_what_it_can_and_cannot_and_leaves_out_what_nobody_told(cli: Cli, fleet: Hosted) -> None:
    model = models_pb2.Model(
        name="models/box/m",
        profile=models_pb2.ModelProfile(
            chat=True, tools=True, images=False, context_tokens=4096, model_tokens=131_072, output_tokens=8192
        ),
        input_price_microusd_per_million=200_000,
        output_price_microusd_per_million=600_000,
    )
    fleet.state.models[model.name] = model

    row = next(line for line in cli.run("model", "list").stdout.splitlines() if "box/m" in line)
    assert "tools -images" in row
    assert "reasoning" not in row
    page = cli.run("model", "show", "box/m").stdout
    assert "4 096 tokens as it is served; the model could take 131 072" in page
    assert "$0.20 in, $0.60 out, as its endpoint says" in page
    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in page.splitlines() if len(line.split()) > 1}
    assert (told["tools"], told["images"], told["reasoning"]) == ("yes", "no", "not told")
    assert json.loads(cli.run("model", "show", "box/m", "-o", "json").stdout)["profile"]["reasoning"] is None

"""`signet shell` and `signet cp` as a stranger uses them: a terminal, pipes, files that go in and come out."""

import io
import os
import signal
import tarfile
import termios
from pathlib import Path

import pytest

from tests.fakes.hosted import Hosted
from tests.integration.cli.conftest import ROOT, Cli
from tests.integration.cli.terminal import Terminal

CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture(autouse=True)
def folder(fleet: Hosted, tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    inside.mkdir()
    fleet.state.boundary.folder = inside
    return inside


@pytest.fixture
def here(tmp_path: Path) -> Path:
    path = tmp_path / "here"
    path.mkdir()
    return path


def modes(terminal: Terminal) -> list[object]:
    return list(termios.tcgetattr(terminal.slave))


def shell(cli: Cli, *words: str) -> Terminal:
    return Terminal(cli.argv("shell", "assistant", *words), cli.environment, str(ROOT))


def test_a_terminal_goes_inside_and_is_as_it_was_afterwards(cli: Cli, fleet: Hosted) -> None:
    with shell(cli, "--", "sh", "-c", "echo on; read x; echo got $x; stty size; sleep 100; exit 3") as terminal:
        before = modes(terminal)
        terminal.wait_for("on")
        assert modes(terminal) != before
        terminal.type("words\r")
        terminal.wait_for("got words")
        terminal.wait_for("40 100")
        terminal.type(CTRL_C)
        assert terminal.process.wait(20) == 130  # the command's own end by SIGINT
        assert modes(terminal) == before
    assert fleet.state.boundary.sizes == [(40, 100)]


def test_a_new_size_is_told_inside(cli: Cli) -> None:
    script = "trap 'stty size; exit 0' WINCH; echo on; while :; do sleep 0.05; done"
    with shell(cli, "--", "sh", "-c", script) as terminal:
        terminal.wait_for("on")
        terminal.resize(50, 132)
        terminal.wait_for("50 132")
        assert terminal.process.wait(20) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_and_restores_the_terminal(cli: Cli, number: signal.Signals, code: int) -> None:
    with shell(cli, "--", "sh", "-c", "echo on; sleep 1000") as terminal:
        before = modes(terminal)
        terminal.wait_for("on")
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == code
        assert modes(terminal) == before


def test_one_that_hangs_is_left_with_a_tilde_and_a_dot(cli: Cli) -> None:
    with shell(cli, "--", "sh", "-c", "trap '' INT; stty -isig; echo on; sleep 1000") as terminal:
        before = modes(terminal)
        terminal.wait_for("on")
        terminal.type("\r~.")
        assert terminal.process.wait(20) == 130
        assert modes(terminal) == before


def test_a_fleet_that_goes_away_restores_the_terminal(cli: Cli, fleet: Hosted) -> None:
    with shell(cli, "--", "sh", "-c", "echo on; sleep 1000") as terminal:
        before = modes(terminal)
        terminal.wait_for("on")
        fleet.stop()
        assert terminal.process.wait(20) == 5
        assert modes(terminal) == before
        terminal.wait_for("no fleet answers")


def test_pipes_are_byte_for_byte_and_the_exit_code_passes_through(cli: Cli) -> None:
    body = bytes(range(256)) * 4096
    script = "cat; echo problem >&2; exit 9"

    done = cli.raw("shell", "assistant", "--", "sh", "-c", script, stdin=body)

    assert (done.returncode, done.stdout, done.stderr) == (9, body, b"problem\n")


def test_words_behind_the_agent_are_the_commands(cli: Cli) -> None:
    assert cli.run("shell", "assistant", "printf", "%s-", "-q", "--json").stdout == "-q---json-"
    assert cli.run("shell", "assistant", "no-such-program").returncode == 3
    assert cli.run("shell", "nobody", "true").returncode == 3


def test_exec_gives_an_object_for_programs(cli: Cli) -> None:
    done = cli.run("sandbox", "exec", "-o", "json", "assistant", "sh", "-c", "cat; echo e >&2; exit 4", stdin=b"in")

    assert done.returncode == 4
    assert '"stdout": "in"' in done.stdout
    assert '"stderr": "e\\n"' in done.stdout
    assert '"code": 4' in done.stdout


def test_sigint_goes_inside_where_there_is_no_terminal(cli: Cli) -> None:
    script = "trap 'echo got; exit 5' INT; echo on; while :; do sleep 0.05; done"
    process = cli.start("shell", "assistant", "--", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)

    assert (process.returncode, out) == (5, b"got\n")


def test_a_file_goes_in_and_comes_out(cli: Cli, folder: Path, here: Path) -> None:
    (here / "data.csv").write_text("1,2\n")
    copied = cli.run("cp", str(here / "data.csv"), f"assistant:{folder}/")
    assert copied.returncode == 0, copied.stderr
    assert (folder / "data.csv").read_text() == "1,2\n"
    assert "data.csv" in copied.stderr

    back = cli.run("cp", f"assistant:{folder}/data.csv", str(here / "back.csv"), "-o", "json")
    assert back.returncode == 0, back.stderr
    assert (here / "back.csv").read_text() == "1,2\n"
    assert '"bytes": 4' in back.stdout


def test_what_is_there_is_replaced_by_force_only(cli: Cli, folder: Path, here: Path) -> None:
    (here / "a").write_text("new")
    (folder / "a").write_text("old")

    assert cli.run("cp", str(here / "a"), f"assistant:{folder}").returncode == 6
    assert cli.run("cp", str(here / "a"), f"assistant:{folder}/a").returncode == 6
    assert (folder / "a").read_text() == "old"
    assert cli.run("cp", "--force", str(here / "a"), f"assistant:{folder}/a").returncode == 0
    assert (folder / "a").read_text() == "new"

    (here / "a").write_text("mine")
    refused = cli.run("cp", f"assistant:{folder}/a", str(here))
    assert refused.returncode == 6
    assert "is there already" in refused.stderr
    assert "try: --force" in refused.stderr
    assert (here / "a").read_text() == "mine"
    assert cli.run("cp", "-f", f"assistant:{folder}/a", str(here)).returncode == 0
    assert (here / "a").read_text() == "new"


def test_folders_are_copied_whole_both_ways(cli: Cli, folder: Path, here: Path) -> None:
    (here / "tree" / "deep").mkdir(parents=True)
    (here / "tree" / "deep" / "run.sh").write_text("echo hi\n")
    (here / "tree" / "deep" / "run.sh").chmod(0o755)
    (here / "tree" / "link").symlink_to("deep/run.sh")
    (here / "tree" / "big").write_bytes(os.urandom(3_000_001))

    assert cli.run("cp", str(here / "tree"), f"assistant:{folder}/copy").returncode == 0
    assert (folder / "copy" / "deep" / "run.sh").stat().st_mode & 0o111
    assert (folder / "copy" / "link").readlink() == Path("deep/run.sh")
    assert cli.run("cp", f"assistant:{folder}/copy", str(here)).returncode == 0
    assert (here / "copy" / "big").read_bytes() == (here / "tree" / "big").read_bytes()
    assert (here / "copy" / "link").readlink() == Path("deep/run.sh")
    assert (here / "copy" / "deep" / "run.sh").stat().st_mode & 0o111
    (here / "copy" / "own").write_text("kept")
    assert cli.run("cp", "-f", f"assistant:{folder}/copy", str(here)).returncode == 0
    assert (here / "copy" / "own").read_text() == "kept"
    assert [path.name for path in here.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("sides", "code", "says"),
    [
        (("a", "b"), 2, "one side is AGENT:PATH"),
        (("assistant:a", "scout:b"), 2, "both are inside"),
        (("nothing", "assistant:"), 3, "no such file or folder here"),
        (("assistant:/nothing", "new"), 3, "No such file"),
        (("assistant:/etc/hostname", "no/such/folder"), 3, "is not there"),
    ],
)
def test_what_cannot_be_copied_is_said(cli: Cli, here: Path, sides: tuple[str, str], code: int, says: str) -> None:
    local = [word if ":" in word else str(here / word) for word in sides]
    done = cli.run("cp", *local)

    assert done.returncode == code
    assert says in done.stderr
    assert list(here.iterdir()) == []


def hostile(members: list[tuple[str, str, str]]) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE,
                         "folder": tarfile.DIRTYPE, "device": tarfile.CHRTYPE}[kind]  # fmt: skip
            if kind in {"link", "hard"}:
                info.linkname = content
            info.size = len(content) if kind == "file" else 0
            info.mode = 0o6777
            tar.addfile(info, io.BytesIO(content.encode()) if kind == "file" else None)
    return body.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("x/../../evil", "file", "won")],
        [("/evil", "file", "won")],
        [("x", "folder", ""), ("x/out", "link", ".."), ("x/out/evil", "file", "won")],
        [("x", "folder", ""), ("x/out", "link", "/etc"), ("x/out/hosts", "file", "won")],
        [("x", "folder", ""), ("x/a", "folder", ""), ("x/a/b", "link", ".."), ("x/c", "link", "a/b/../../evil")],
        [("x", "folder", ""), ("x/passwd", "hard", "/etc/passwd")],
        [("x", "folder", ""), ("x/null", "device", "")],
        [("x", "link", "/etc/passwd")],
    ],
)
def test_nothing_that_an_agent_packs_leaves_its_place(
    cli: Cli, fleet: Hosted, here: Path, members: list[tuple[str, str, str]]
) -> None:
    fleet.state.boundary.packed = hostile(members)
    target = here / "place"
    target.mkdir()

    cli.run("cp", "assistant:/x", str(target))

    found = [path for path in here.rglob("*") if path.is_symlink() or path.is_file()]
    for path in found:
        assert path.resolve().is_relative_to(target / "x")
        assert not path.stat().st_mode & 0o6000
    assert {path.name for path in here.iterdir()} == {"place"}
    assert not Path("/evil").exists()

"""The file tools: what they show, what they change, and what they refuse."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.inside import inside
from tests.unit.tools.conftest import HOST, Use


async def test_a_file_is_read_by_lines_and_says_where_to_go_on(use: Use, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"line {number}\n" for number in range(1, 11)))
    said = await use("read_file", path="a.txt", offset=3, limit=2)
    assert said.text == "line 3\nline 4\n\n[Lines 3-4 of a.txt; go on with offset 5.]"
    assert (await use("read_file", path="a.txt", offset=9)).text == "line 9\nline 10\n"
    assert (await use("read_file", path="/workspace/a.txt", limit=1)).text.startswith("line 1\n")


async def test_a_result_is_bounded_and_a_line_of_a_gigabyte_is_not_held(use: Use, tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.write(b"start")
        file.seek(1 << 30)
        file.write(b"\nnext line\n")
    (tmp_path / "long").write_bytes(b"x" * 50_000_000 + b"\nnext line\n")
    assert "is a binary file of" in (await use("read_file", path="big")).text, "it is full of zero bytes"
    said = await use("read_file", path="long")
    assert said.text.endswith("[49996000 more bytes in this line]\nnext line\n")
    assert (await use("read_file", path="long", offset=2)).text == "next line\n"


async def test_invalid_utf8_is_replaced(use: Use, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"gr\xfcn\n")
    assert (await use("read_file", path="latin.txt")).text == "gr\ufffdn\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "note.txt"}, "There is no file note.txt. Did you mean notes.txt?"),
        ({"path": "no/where.txt"}, "There is no folder no"),
        ({"path": "sub"}, "sub is a folder. list_files shows"),
        ({"path": "bin"}, "binary file of 4 bytes"),
        ({"path": "pipe"}, "is not a regular file"),
        ({"path": ""}, "`path` is empty"),
        ({"path": "a\0"}, "zero byte"),
        ({"path": "notes.txt", "offset": 9}, "has 1 lines; `offset` 9 is behind its end"),
        ({"path": "notes.txt", "limit": 0}, "between 1 and 100000"),
        ({"path": "notes.txt", "limit": True}, "whole number"),
    ],
)
async def test_what_cannot_be_read_is_explained(use: Use, tmp_path: Path, arguments: dict[str, Any], says: str) -> None:
    (tmp_path / "notes.txt").write_text("hi\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "bin").write_bytes(b"\x7fE\0L")
    os.mkfifo(tmp_path / "pipe")
    said = await use("read_file", **arguments)
    assert said.is_error
    assert says in said.text


async def test_an_empty_file_says_so(use: Use, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert (await use("read_file", path="empty")).text == "empty is empty."


async def test_writing_makes_folders_and_keeps_the_mode_of_what_it_replaces(use: Use, tmp_path: Path) -> None:
    assert (await use("write_file", path="a/b/c.sh", content="one\n")).text == "Created a/b/c.sh: 1 line, 4 bytes."
    file = tmp_path / "a/b/c.sh"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    file.chmod(0o755)
    assert (
        await use("write_file", path="a/b/c.sh", content="two\nlines")
    ).text == "Replaced a/b/c.sh: 2 lines, 9 bytes."
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("two\nlines", 0o755)
    assert [entry.name for entry in file.parent.iterdir()] == ["c.sh"], "nothing is left beside it"


async def test_writing_goes_through_a_link(use: Use, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    await use("write_file", path="link", content="new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


async def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))"
    )
    (tmp_path / "small.py").write_text(f"{limited}\nfrom workers.tools.host import main\n")
    async with inside("small", tmp_path) as host:
        await host.send({"tool": "write_file", "arguments": {"path": "a", "content": "x" * 100}, "limits": {}})
        frame = (await host.rest())[-1]
    assert frame == {"result": "Could not write a: File too large.", "is_error": True}
    assert (tmp_path / "a").read_text() == "old"
    assert not left_over(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "sub", "content": "x"}, "sub is a folder"),
        ({"path": "file/x", "content": "x"}, "is a file, so nothing can be put under it"),
        ({"path": "file/x/y", "content": "x"}, "is a file, not a folder"),
        ({"path": "x"}, "`content` is missing"),
    ],
)
async def test_what_cannot_be_written_is_explained(
    use: Use, tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").touch()
    said = await use("write_file", **arguments)
    assert said.is_error
    assert says in said.text


async def test_an_edit_replaces_the_one_place(use: Use, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\ny = 2\n")
    said = await use("edit_file", path="a.py", old_text="y = 2", new_text="y = 3")
    assert said.text == "Edited a.py: 1 place, the first at line 2."
    assert file.read_text() == "x = 1\ny = 3\n"


async def test_an_edit_of_every_place_has_to_be_asked_for(use: Use, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("n\nn\n")
    said = await use("edit_file", path="a.py", old_text="n", new_text="m")
    assert said.is_error
    assert "2 times (lines 1, 2)" in said.text
    assert file.read_text() == "n\nn\n"
    assert not (await use("edit_file", path="a.py", old_text="n", new_text="m", replace_all=True)).is_error
    assert file.read_text() == "m\nm\n"


async def test_an_edit_keeps_the_files_line_ends(use: Use, tmp_path: Path) -> None:
    file = tmp_path / "dos.txt"
    file.write_bytes(b"a\r\nb\r\nc\r\n")
    await use("edit_file", path="dos.txt", old_text="a\nb", new_text="a\nx")
    assert file.read_bytes() == b"a\r\nx\r\nc\r\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"old_text": "helo world", "new_text": "x"}, "Line 1 is the line most like it: 'hello world'. Not changed."),
        (
            {"old_text": "hello world\n    indented", "new_text": "x"},
            "begins alike, but the spacing or another line differs",
        ),
        ({"old_text": "zzzzzzzz", "new_text": "x"}, "Nothing in it is like it"),
        ({"old_text": "", "new_text": "x"}, "`old_text` is empty"),
        ({"old_text": "hello", "new_text": "hello"}, "are the same"),
        ({"old_text": "hello", "new_text": "x", "replace_all": "yes"}, "true or false"),
    ],
)
async def test_an_edit_that_does_not_fit_changes_nothing_and_hints(
    use: Use, tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello world\n  indented\n")
    said = await use("edit_file", path="a.txt", **arguments)
    assert said.is_error
    assert says in said.text
    assert file.read_text() == "hello world\n  indented\n"


async def test_an_edit_of_what_is_no_text_is_refused(use: Use, tmp_path: Path) -> None:
    (tmp_path / "bin").write_bytes(b"a\0b")
    (tmp_path / "latin").write_bytes(b"gr\xfcn")
    (tmp_path / "huge").write_bytes(b"x" * (9 << 20))
    for path, says in (("bin", "binary"), ("latin", "not valid UTF-8 (byte 2)"), ("huge", "larger than 8 MiB")):
        assert says in (await use("edit_file", path=path, old_text="x", new_text="y")).text


async def test_a_listing_is_in_order_with_sizes_links_and_depth(use: Use, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_text("12345")
    (tmp_path / "a.txt").write_bytes(b"x" * 2048)
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / ".hidden").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "we\nird").touch()
    plain = ["a.txt (2.0 KiB)", "b/", "link -> /etc/passwd", "pipe (special)", "we\ufffdird (0 B)"]
    assert (await use("list_files")).text.split("\n") == plain
    deep = (await use("list_files", depth=2, hidden=True)).text.split("\n")
    assert deep == [".hidden (0 B)", *plain[:2], "b/c.txt (5 B)", *plain[2:]]
    assert (await use("list_files", path="b")).text == "c.txt (5 B)"


async def test_a_listing_is_bounded_and_empty_ones_say_so(use: Use, tmp_path: Path) -> None:
    assert (await use("list_files")).text == "The workspace is empty."
    for number in range(30):
        (tmp_path / f"{number:02}").touch()
    rows = (await use("list_files", limit=10)).text.split("\n")
    assert (len(rows), rows[-1][:24]) == (11, "[Stopped after 10 entrie")


async def test_a_search_shows_file_line_and_context(use: Use, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\nTODO two\nthree\nfour\nTODO five\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("# todo.\n")
    assert (await use("search_files", pattern="TODO")).text == "a.txt:2: TODO two\na.txt:5: TODO five"
    said = await use("search_files", pattern="TODO", context=1)
    assert said.text.split("\n") == [
        "a.txt-1- one",
        "a.txt:2: TODO two",
        "a.txt-3- three",
        "a.txt-4- four",
        "a.txt:5: TODO five",
    ]
    assert (await use("search_files", pattern="todo.", glob="*.py")).text == "sub/b.py:1: # todo."
    assert (await use("search_files", pattern="^t.*e$", regex=True)).text == "a.txt:3: three"
    assert (await use("search_files", pattern="ONE", ignore_case=True)).text == "a.txt:1: one"


async def test_a_search_skips_what_is_no_text_and_is_bounded(use: Use, tmp_path: Path) -> None:
    (tmp_path / "bin").write_bytes(b"TODO\0")
    (tmp_path / "long").write_text("x" * 100_000 + "TODO" + "y" * 100_000)
    (tmp_path / "many").write_text("TODO\n" * 500)
    said = await use("search_files", pattern="TODO", limit=5)
    rows = said.text.split("\n")
    assert len(rows) == 6
    assert rows[-1] == "[1 binary, unreadable or large files were skipped; stopped after 5 matches.]"
    assert len(rows[0]) < 400
    assert "TODO" in rows[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pattern": "(", "regex": True}, "no regular expression"),
        ({"pattern": ""}, "`pattern` is empty"),
        ({"pattern": "x", "path": "nowhere"}, "There is no file nowhere"),
        ({"pattern": "nothing like it"}, "No match for 'nothing like it' in 1 file."),
        ({"pattern": "x", "glob": "*.rs"}, "no file's name fits '*.rs'"),
    ],
)
async def test_a_search_without_a_result_says_why(
    use: Use, tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    assert says in (await use("search_files", **arguments)).text


async def test_a_pattern_that_never_ends_is_broken_off(use: Use, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 40 + "b\n")
    said = await use("search_files", limits={"seconds": 0.2}, pattern="(a+)+$", regex=True)
    assert said.is_error
    assert "not done after 0.2 s" in said.text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"garbage\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b'{"tool":"rm"}\n', "There is no tool 'rm'. The tools are exec, read_file"),
        (b'{"tool":"exec","arguments":[]}\n', "`arguments` has to be an object"),
    ],
)
async def test_a_bad_call_is_a_result_too(tmp_path: Path, line: bytes, says: str) -> None:
    async with inside(HOST, tmp_path) as host:
        await host.send_raw(line)
        frame = (await host.rest())[-1]
        assert frame["is_error"]
        assert says in frame["result"]
        assert await host.ended() == 0


def left_over(folder: Path) -> list[Path]:
    """Return half-written files."""
    return list(folder.glob(".*part"))

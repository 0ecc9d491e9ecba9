"""Tars in and out: what was packed is unpacked the same, and no tar writes outside its folder."""

import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.tools.pack import Packer
from workers.tools.tarball import ArchiveError, Reader
from workers.tools.unpack import Unpacker


def unpack(data: bytes, folder: Path, *, entries: int = 100, size: int = 1 << 20) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        Unpacker(str(folder), entries=entries, size=size).unpack(Reader(file.fileno()))


def pack(path: Path, *, entries: int = 100, size: int = 1 << 20) -> bytes:
    with tempfile.TemporaryFile() as file:
        Packer(file.fileno(), entries=entries, size=size).pack(str(path))
        file.seek(0)
        return file.read()


def tar(*members: tuple[str, bytes, str], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Make a tar of (name, type, target or text)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o644
            if kind == tarfile.REGTYPE:
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                archive.addfile(info)
    return made.getvalue()


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_a_folder_comes_out_as_it_went_in(tmp_path: Path) -> None:
    source = tmp_path / "in" / "notes"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "large.bin").write_bytes(os.urandom(700_001))
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    (source / f"long-{'x' * 200}").write_text("a long name")
    (source / "größe \n.txt").write_text("an odd name")
    (source / os.fsdecode(b"bad-\xff")).write_text("no text at all")
    (source / "empty").write_text("")
    (source / "link").symlink_to("deep/er/large.bin")
    (source / "deep" / "up").symlink_to("../tool")
    unpack(pack(source), tmp_path / "out")
    out = tmp_path / "out" / "notes"

    def told(root: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for path in sorted(root.rglob("*")):
            what = path.readlink() if path.is_symlink() else path.is_dir() or path.read_bytes()
            found[str(path.relative_to(root))] = (what, path.lstat().st_mode)
        return found

    assert told(out) == told(source)


def test_what_python_reads_and_writes_is_understood(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with tarfile.open(fileobj=io.BytesIO(pack(tmp_path / "a.txt"))) as archive:
        assert archive.getnames() == ["a.txt"]
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        name = f"{'d' * 90}/{'e' * 90}"
        unpack(tar((name, FILE, "text"), ("a", FILE, "text"), (f"{name}2", HARD, "a"), form=form), tmp_path / str(form))
        assert (tmp_path / str(form) / name).read_text() == "text"
        assert (tmp_path / str(form) / f"{name}2").read_text() == "text"


@pytest.mark.parametrize(
    "members",
    [
        [("/etc/planted", FILE, "x")],
        [("../planted", FILE, "x")],
        [("a/../../planted", FILE, "x")],
        [("out", LINK, "/etc")],
        [("out", LINK, "..")],
        [("a/out", LINK, "../../outside")],
        [
            (
                "out",
                LINK,
                "..",
            ),
            ("out/planted", FILE, "x"),
        ],
        # a way up that only a link makes too long: each link alone stays inside
        [("s/t/u", LINK, "../.."), ("v", LINK, "s/t/u/..")],
        [("m/n/here", FOLDER, ""), ("v", LINK, "m/n/.."), ("v/../../planted", FILE, "x")],
        [("passwd", HARD, "/etc/passwd")],
        [("passwd", HARD, "../outside/secret")],
        [("in", LINK, "a"), ("in/planted", FILE, "x")],
        [("tty", tarfile.CHRTYPE, "")],
        [("disk", tarfile.BLKTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("odd", b"Z", "")],
    ],
)
def test_a_tar_that_would_reach_out_is_refused(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    with pytest.raises(ArchiveError):
        unpack(tar(*members), tmp_path / "in" / "folder")
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "in"}
    assert {path.name for path in outside.iterdir()} == {"secret"}
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"folder"}


def test_nothing_is_written_through_a_link_that_was_there(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "file").write_text("before")
    (folder / "way").symlink_to(outside)
    (folder / "file").symlink_to(outside / "file")
    (folder / "second").hardlink_to(outside / "file")
    with pytest.raises(ArchiveError, match="no folder"):
        unpack(tar(("way/planted", FILE, "x")), folder)
    unpack(tar(("file", FILE, "after"), ("second", FILE, "after")), folder)
    assert (outside / "file").read_text() == "before"
    assert not (folder / "file").is_symlink()
    assert (folder / "second").read_text() == "after"
    assert not (outside / "planted").exists()


def test_a_program_that_gives_rights_away_loses_that(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("su")
        info.mode = 0o6755
        archive.addfile(info, io.BytesIO(b""))
    unpack(made.getvalue(), tmp_path)
    assert (tmp_path / "su").stat().st_mode & 0o7777 == 0o755


def test_what_is_there_is_replaced_but_a_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    unpack(tar(("file", FILE, "new"), ("folder", FOLDER, "")), tmp_path)
    assert (tmp_path / "file").read_text() == "new"
    with pytest.raises(ArchiveError, match="is there already"):
        unpack(tar(("folder", FILE, "x")), tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:700],
        lambda whole: whole[:1024],  # its end mark is missing
        lambda whole: whole[100:],
        lambda whole: whole[:20] + b"\xff" + whole[21:],
        lambda whole: whole[:0],
        lambda whole: b"no tar at all" * len(whole),
        lambda whole: whole[:124] + b"\x80" + b"\xff" * 11 + whole[136:],
    ],
)
def test_a_tar_that_is_cut_short_or_damaged_is_an_error(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ArchiveError):
        unpack(spoil(tar(("file", FILE, "text"))), tmp_path)


def test_a_broken_file_is_not_left_half(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="too early"):
        unpack(tar(("file", FILE, "x" * 5000))[:2048], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = b"L", 1 << 40
    with pytest.raises(ArchiveError, match="header of"):
        unpack(info.tobuf(tarfile.GNU_FORMAT), tmp_path)


def test_both_ways_are_bounded(tmp_path: Path) -> None:
    many = tar(*((f"f{number}", FILE, "") for number in range(12)))
    with pytest.raises(ArchiveError, match="more than 10"):
        unpack(many, tmp_path / "a", entries=10)
    with pytest.raises(ArchiveError, match="bytes"):
        unpack(tar(("large", FILE, "x" * 2000)), tmp_path / "b", size=1000)
    with pytest.raises(ArchiveError, match="bytes"):  # names of one file, each a copy
        unpack(
            tar(("f", FILE, "x" * 400), *((f"n{number}", HARD, "f") for number in range(5))), tmp_path / "c", size=1000
        )
    unpack(many, tmp_path / "d")
    for bound in ({"entries": 10}, {"size": 10}):
        (tmp_path / "d" / "f0").write_text("x" * 20)
        with pytest.raises(ArchiveError, match="too many"):
            pack(tmp_path / "d", **bound)


def test_what_is_no_file_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "file").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(pack(folder))) as archive:
        assert archive.getnames() == ["folder", "folder/file"]
    assert "folder/pipe: left out" in capsys.readouterr().err

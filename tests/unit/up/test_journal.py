"""A program's log is bounded, and no disk keeps a program from running."""

import os
from pathlib import Path

from signet.up.journal import LAST_LINES, Journal


def test_a_full_log_is_put_aside_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.log", limit_bytes=100)
    for number in range(100):
        journal.write(f"line {number:03}\n".encode())
    journal.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert (tmp_path / "a.log").read_text().endswith("line 099\n")


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for text in (b"before\n", b"after\n"):
        journal = Journal(tmp_path / "a.log")
        journal.write(text)
        journal.close()
    assert (tmp_path / "a.log").read_bytes() == b"before\nafter\n"


def test_the_last_lines_are_at_hand_however_they_came(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.log")
    for byte in b"first\nsecond\nthi":
        journal.write(bytes([byte]))
    assert journal.last() == ["first", "second", "thi"]
    journal.write(b"\n" + b"x" * 1_000_000)
    assert journal.last()[-2] == "thi"
    assert len(journal.last()[-1]) == 2000
    journal.write(b"\n" * 3 + b"".join(b"%d\n" % number for number in range(100)))
    assert journal.last()[-1] == "99"
    assert len(journal.last()) == LAST_LINES
    journal.close()


def test_a_disk_that_takes_nothing_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "missing" / "a.log")
    journal.write(b"lost\n")
    assert journal.lost == 5
    assert journal.last() == ["lost"]
    (tmp_path / "missing").mkdir()
    journal.write(b"kept\n")
    journal.close()
    assert (tmp_path / "missing" / "a.log").read_bytes() == b"kept\n"


def test_a_log_is_its_owners(tmp_path: Path) -> None:
    os.umask(os.umask(0o022))
    journal = Journal(tmp_path / "a.log")
    journal.write(b"x")
    journal.close()
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600

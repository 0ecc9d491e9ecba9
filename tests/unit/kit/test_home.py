import os
import stat
from pathlib import Path

import pytest

from signet.kit.home import Home, HomeError


def test_everything_is_private_to_its_owner(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.prepare()

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in home.root.rglob("*") if path.is_dir()}
    assert set(modes.values()) == {0o700}


def test_a_second_start_finds_what_the_first_left(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    key = home.key("run.key")
    home.prepare()

    assert home.key("run.key") == key
    assert stat.S_IMODE((home.keys / "run.key").stat().st_mode) == 0o600


def test_a_newer_layout_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("99\n")

    with pytest.raises(HomeError, match=r"newer Signet.*upgrade"):
        Home(tmp_path).prepare()


def test_a_damaged_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version").write_bytes(b"\xff\xfe")

    with pytest.raises(HomeError, match="no version"):
        Home(tmp_path).prepare()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = Path("/usr")  # root's
    if os.getuid() == 0:
        folder = tmp_path / "theirs"
        folder.mkdir()
        os.chown(folder, 12345, 12345)

    with pytest.raises(HomeError, match=f"{folder} belongs to user {folder.stat().st_uid}"):
        Home(folder).prepare()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(HomeError, match=str(tmp_path / "data")):
        Home(tmp_path / "data").prepare()


def test_one_process_of_a_name_holds_a_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    lock = home.hold("control")

    with pytest.raises(HomeError, match=f"pid {os.getpid()}"):
        home.hold("control")
    os.close(lock)
    os.close(home.hold("control"))


def test_sockets_keep_short_paths_under_a_long_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / ("x" * 120))

    assert len(str(home.socket("control.sock"))) < 107
    assert home.sockets == Home(home.root).sockets


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    (home.keys / "run.key").write_bytes(b"short")

    with pytest.raises(HomeError, match=r"run\.key"):
        home.key("run.key")

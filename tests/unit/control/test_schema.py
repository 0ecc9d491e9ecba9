"""The schema: made at once or by migrations it is the same, and its versions are all known."""

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from control.store import database
from control.store.migrations.upgrade import config, upgrade
from control.store.schema import REVISIONS


def described(path: Path) -> set[tuple[str, ...]]:
    """Describe every table, column, key and index of a database, in no order."""
    found: set[tuple[str, ...]] = set()
    with sqlite3.connect(path) as connection:
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
            if name == "alembic_version" or kind != "table":
                continue
            found.add((name, str("WITHOUT ROWID" in sql)))
            for pragma in ("table_info", "foreign_key_list", "index_list"):
                for row in connection.execute(f"PRAGMA {pragma}({name})").fetchall():
                    columns = row[1:] if pragma == "table_info" else row[2:]
                    if pragma == "index_list":
                        columns = (*row[2:], *(item[2] for item in connection.execute(f"PRAGMA index_info({row[1]})")))
                    found.add((name, pragma, *map(str, columns)))
    connection.close()
    return found


def test_migrations_make_what_a_new_database_is_made_with(tmp_path: Path) -> None:
    database.open_schema(tmp_path / "new.db")
    upgrade(tmp_path / "migrated.db")
    assert described(tmp_path / "migrated.db") == described(tmp_path / "new.db")
    assert len(described(tmp_path / "new.db")) > 100


def test_every_version_is_known_and_the_last_is_the_head() -> None:
    scripts = ScriptDirectory.from_config(config(Path("unused.db")))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)


def test_an_older_database_is_migrated_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one version so far; the one after it is made up, so that opening has something to do."""
    path = tmp_path / "control.db"
    database.open_schema(path)
    before = described(path)
    asked: list[Path] = []
    monkeypatch.setattr(database, "REVISIONS", (*REVISIONS, "9999"))
    monkeypatch.setattr("control.store.migrations.upgrade.upgrade", asked.append)
    database.open_schema(path)
    assert asked == [path]
    assert described(path) == before


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    database.open_schema(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(database.SchemaError, match=r"9999.*0002"):
        database.open_schema(path)

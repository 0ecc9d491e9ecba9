"""The schema: made at once or by migrations it is the same, and its versions are all known."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from control import effective, policies
from control.bells import Bells
from control.store import agents, database
from control.store.migrations.upgrade import config, upgrade
from control.store.schema import REVISIONS
from control.store.writer import Transaction


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


def test_an_older_database_is_migrated_when_it_is_opened_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    upgrade(path, REVISIONS[0])
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO agents VALUES"
            " ('mine', 'd', 'souls/general', '[]', 'builtin', 'models/m', 1, 2, 3, 4, 5, NULL, 1)"
        )
    connection.close()
    database.open_schema(path)
    database.open_schema(tmp_path / "new.db")
    assert described(path) == described(tmp_path / "new.db")
    engine = database.engine(path, writable=True)
    with engine.connect() as opened:
        transaction = Transaction(opened)
        policies.seed(Bells(), transaction)
        agent = agents.get(opened, "mine")
        assert agent is not None
        assert (agent.policy, agent.limits.max_seconds, agent.description) == ("policies/default", 2, "d")
        found = effective.of(opened, "mine", transaction.now)
        assert found is not None
        assert found.version.version == 1
    engine.dispose()


def test_a_migration_can_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    upgrade(tmp_path / "old.db", REVISIONS[0])
    database.open_schema(path)
    command.downgrade(config(path), REVISIONS[0])
    assert described(path) == described(tmp_path / "old.db")


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    database.open_schema(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(database.SchemaError, match=r"9999.*0003"):
        database.open_schema(path)

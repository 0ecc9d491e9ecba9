"""Brings the schema to its head. Apart, because Alembic is only imported when there is something to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine


def migrate(path: Path, revision: str = "head") -> None:
    """Upgrade the SQLite database at a path to a revision, one transaction for each on the way."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            upgrade(connection, revision)
    finally:
        engine.dispose()
    path.chmod(0o600)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Do the same over a connection to any database, whose only user this is meanwhile."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)

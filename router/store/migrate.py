"""Brings the schema to its head. Apart, because Alembic is only imported when there is something to do."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine


def migrate(path: Path, revision: str = "head") -> None:
    """Upgrade the database at a path to a revision, one transaction for each on the way."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()
    path.chmod(0o600)

"""Runs the migrations on a database file."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def config(path: Path) -> Config:
    """Configure Alembic for a database file, without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    made.attributes["path"] = path
    return made


def upgrade(path: Path, revision: str = "head") -> None:
    """Bring a database to a revision, each step in a transaction of its own."""
    command.upgrade(config(path), revision)

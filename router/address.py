"""The address of a PostgreSQL, as an option says it. Pure, but for the file with the password."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from signet.kit.lifecycle import StartError

_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True)
class Address:
    """Where a database is, as libpq writes it; without a password PGPASSWORD and ~/.pgpass are asked for one."""

    url: str = field(repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Write it for people: without its password."""
        parts = urlsplit(self.url)
        user = parts.username or ""
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{user}@{host}" if user else host, query=_hosts(parts)).geturl()


def _hosts(parts: SplitResult) -> str:
    return "&".join(each for each in parts.query.split("&") if each.startswith("host="))


def trouble(url: str) -> str:
    """Say what is wrong with an address; empty for one that may be right. It is never quoted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is no address"
    if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
        return "must be postgresql://USER@HOST/DATABASE, or postgresql://USER@/DATABASE?host=/FOLDER for a unix socket"
    return "" if parts.path.strip("/") else "must end with the name of a database"


def has_password(url: str) -> bool:
    """Whether a password is part of it."""
    parts = urlsplit(url)
    return bool(parts.password) or any(each.startswith("password=") for each in parts.query.split("&"))


def password_of(path: str) -> str:
    """Read a password from the first line of a file; empty for no file. Raises StartError."""
    if not path:
        return ""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"router.database_password_file {path} cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise StartError(f"router.database_password_file {path} is empty")
    return lines[0]

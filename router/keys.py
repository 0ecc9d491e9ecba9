"""The file of the vault's keys: 32 bytes a key. The first one seals; those behind it only open what they sealed."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from signet.kit.home import HomeError, private, write_private

KEY_BYTES = 32
MAX_KEYS = 8
"""More are never needed: a rotation adds one and removes the others."""
_ID_BYTES = 8


@dataclass(frozen=True)
class Key:
    """A key, and its name, from which it cannot be told."""

    secret: bytes = field(repr=False)
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Name it."""
        name = hmac.digest(self.secret, b"signet vault key", hashlib.sha256)[:_ID_BYTES]
        object.__setattr__(self, "id", name)


def cut(content: bytes) -> tuple[Key, ...]:
    """Give the keys of a file's content. Raises ValueError for what is none."""
    if len(content) % KEY_BYTES or len(content) > MAX_KEYS * KEY_BYTES:
        raise ValueError(f"{len(content)} bytes")
    return tuple(Key(content[start : start + KEY_BYTES]) for start in range(0, len(content), KEY_BYTES))


@dataclass(frozen=True)
class KeyFile:
    """Where the keys lie. What is written is durable when the method returns."""

    path: Path

    def read(self) -> bytes:
        """Give the content; empty where there is no file. Raises HomeError for one that is damaged or open."""
        try:
            mode = self.path.stat().st_mode
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be read ({error.strerror}): it holds what opens the secrets"
            ) from error
        if mode & 0o077:
            raise HomeError(f"{self.path} can be read by others than its owner: chmod 600 {self.path}")
        try:
            keys = cut(content)
        except ValueError as error:
            raise HomeError(f"{self.path} holds {error}, which is no key: restore it from a backup") from error
        if not keys:
            raise HomeError(f"{self.path} is empty: restore it from a backup")
        return content

    def write(self, content: bytes) -> None:
        """Replace the content."""
        private(self.path.parent)
        write_private(self.path, content)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # else the name may still mean the old content after a power cut
        finally:
            os.close(folder)

"""Large bodies in a folder, each under its sha256: a body that is there is whole, and on disk."""

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from control.store.database import disk_full
from signet.kit.errors import NotFound, Unavailable, invalid
from signet.kit.names import uuid7

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of one body."""

CHUNK = 256 * 1024
"""Bytes of one chunk, in and out."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Blobs:
    """A folder of bodies: `aa/aabb…`, and drafts in `drafts`, of which a new start keeps none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._drafts = root / "drafts"
        self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for draft in self._drafts.iterdir():
            draft.unlink()

    def has(self, digest: str) -> bool:
        """Tell whether a body is there. Raises InvalidArgument for what is no digest."""
        return self._path(digest).exists()

    async def put(self, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a body; it is durable when this returns. Keeping one twice is the same as once.

        Raises InvalidArgument when the bytes have another digest or are too many, ResourceExhausted (DISK_FULL).
        """
        path = self._path(digest)
        try:
            with _draft(self._drafts) as (file, draft):
                await _fill(file, digest, chunks)
                await asyncio.to_thread(_publish, file, draft, path)
        except OSError as error:
            if error.errno in _FULL:
                raise disk_full() from error
            raise Unavailable("STORE_UNAVAILABLE", f"the blob folder does not work: {error.strerror}") from error

    async def get(self, digest: str) -> AsyncIterator[bytes]:
        """Give a body in chunks. Raises NotFound."""
        path = self._path(digest)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:
            raise NotFound("BLOB_NOT_FOUND", f"there is no body {digest}") from None
        with file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise invalid(("digest", "must be 64 hexadecimal characters in lower case"))
        return self._root / digest[:2] / digest


@contextmanager
def _draft(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    path = folder / uuid7()
    try:
        with path.open("xb", buffering=0) as file:
            path.chmod(0o600)
            yield file, path
    finally:
        path.unlink(missing_ok=True)


async def _fill(file: BinaryIO, digest: str, chunks: AsyncIterator[bytes]) -> None:
    taken = hashlib.sha256()
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise invalid(("chunk", f"a body may have {MAX_BYTES} bytes in all, and this has more"))
        taken.update(chunk)
        await asyncio.to_thread(_write, file, chunk)
    if taken.hexdigest() != digest:
        raise invalid(("digest", f"the {size} bytes sent have the digest {taken.hexdigest()}, not {digest}"))


def _write(file: BinaryIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:  # an unbuffered file may take less than it is given
        left = left[file.write(left) :]


def _publish(file: BinaryIO, draft: Path, path: Path) -> None:
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft.replace(path)
    for folder in (path.parent, path.parent.parent):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

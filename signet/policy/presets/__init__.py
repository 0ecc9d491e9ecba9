"""What many agents need, as network blocks that a document names: one YAML file each, beside this module."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Give the presets' names, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def text(name: str) -> str:
    """Give a preset's text: `description`, `endpoints`, perhaps `binaries`. Raises KeyError for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

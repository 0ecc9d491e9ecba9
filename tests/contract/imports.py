"""Who imports whom, read from the source without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("signet", "control", "router", "workers", "benchmark", "web")


@dataclass(frozen=True)
class Import:
    """One import statement: the file that has it, its line, and the module that it names."""

    path: Path
    line: int
    module: str

    @property
    def where(self) -> str:
        """Where it stands, as editors open it."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def importer(self) -> str:
        """The module that has it."""
        return module_of(self.path)


def module_of(path: Path) -> str:
    """Give a file's module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> Iterator[Path]:
    """Give every source file of the packages."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[Import]:
    """Give every import of a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = module_of(path).split(".")
            above = base[: len(base) - node.level + (path.name == "__init__.py")] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(path, node.lineno, f"{module}.{alias.name}")


def all_imports() -> list[Import]:
    """Give every import of the packages."""
    return [one for path in sources() for one in imports(path)]

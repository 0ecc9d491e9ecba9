"""What is wrong with a document, each problem with its place."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: line and column from 1, the key's path (`network.github.endpoints[0].port`), what would be right."""

    line: int
    column: int
    where: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.message}" if self.where else f"line {self.line}: {self.message}"


class PolicyInvalid(ValueError):
    """Raised for a bad document. `problems` has all that is wrong, in the order of the document."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("; ".join(str(problem) for problem in self.problems))

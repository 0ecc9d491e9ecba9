"""Which budgets a call counts to. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from router.authorise import Identity
from router.budgets.budget import COST, TOKENS, Budget


class Subjects:
    """Budgets by what they limit."""

    def __init__(self, budgets: Iterable[Budget]) -> None:
        found: dict[str, list[Budget]] = defaultdict(list)
        for budget in budgets:
            found[budget.subject].append(budget)
        self._found = dict(found)

    def of(self, who: Identity, target: str) -> list[tuple[Budget, str]]:
        """Give each budget that a call counts to, with the subject that it counts for.

        `target` is `providers/{provider}` or `apis/{api}`.
        """
        if not self._found:
            return []
        matched: list[tuple[Budget, str]] = []
        names = {"": "", who.caller: who.caller, who.agent: who.agent, who.session: who.session, who.run: who.run}
        names[target] = target
        if who.agent:
            names["agents/-"] = who.agent
        if who.session:
            names["sessions/-"] = who.session
        if who.run:
            names["runs/-"] = who.run
        for subject, name in names.items():
            for budget in self._found.get(subject, ()):
                matched.append((budget, name))  # noqa: PERF401 - most subjects have none
        return matched

    def bind(self, who: Identity, target: str) -> bool:
        """Whether any of them can refuse a call for what it may generate."""
        return any(not budget.soft and budget.measure in (COST, TOKENS) for budget, _ in self.of(who, target))

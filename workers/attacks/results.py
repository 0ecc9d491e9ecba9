"""What came of the attacks: the verdict on each, the counts, and both forms in which they are shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workers.attacks.attack import Attack

State = Literal["held", "by design", "won", "not applicable", "broken"]

_SHOWN = 160
_WON = 640


@dataclass(frozen=True, slots=True)
class Result:
    """One attack on one tier.

    `held`: it won nothing. `by design`: it won what it may, `reason` says why. `won`: a hole. `not applicable`: what it
    needs is not here. `broken`: the attack could not be carried out, so nothing is known. `detail` is what was seen.
    """

    attack: Attack
    tier: str
    state: State
    detail: str
    reason: str = ""
    seconds: float = 0.0

    def form(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        return {
            "id": self.attack.name,
            "area": self.attack.area,
            "title": self.attack.title,
            "wins": self.attack.wins,
            "tier": self.tier,
            "state": self.state,
            "detail": self.detail,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Results:
    """All of them. `refused` are tiers that this host cannot give, and why; `user` is who ran the sandboxes."""

    user: str
    results: tuple[Result, ...]
    refused: Mapping[str, str]

    @property
    def sound(self) -> bool:
        """Whether every attack that had to fail did, and none was in vain."""
        return not any(result.state in {"won", "broken"} for result in self.results)

    def counts(self, of: Iterable[Result] | None = None) -> dict[str, int]:
        """Count by state."""
        found = [result.state for result in (self.results if of is None else of)]
        return {state: found.count(state) for state in ("held", "by design", "won", "not applicable", "broken")}

    def form(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        return {
            "user": self.user,
            "sound": self.sound,
            "counts": self.counts(),
            "refused": dict(self.refused),
            "attacks": [result.form() for result in self.results],
        }


def verdict(
    attack: Attack, said: Mapping[str, str], secrets: Mapping[str, str], effects: Sequence[str], reason: str
) -> tuple[State, str]:
    """Judge by what was won, never by how it ended; `reason` is why it may be won, "" if it may not."""
    detail = said["detail"]
    leaked = [where for where, secret in secrets.items() if secret in detail]
    proof = attack.witness == "proof" and said["outcome"] == "got"
    if leaked or effects or proof:
        seen = [*(f"read the secret of {where}" for where in leaked), *effects, *([detail] if proof else [])]
        return ("by design" if reason else "won"), _masked("; ".join(seen), secrets)[:_WON]
    if said["outcome"] == "missing":
        return "not applicable", detail
    if said["outcome"] in {"broken", "late"}:
        return "broken", detail[-_WON:]
    return "held", _masked(detail, secrets)[:_SHOWN]


def table(results: Results) -> str:
    """Lay the counts out by tier and area, and below them whatever was won or went wrong, with the reasons."""
    lines = [f"attacks on sandboxes of {'root' if results.user == 'root' else 'an ordinary user'}", ""]
    for tier in dict.fromkeys(result.tier for result in results.results):
        mine = [result for result in results.results if result.tier == tier]
        lines += [f"{tier:<14}{'held':>7}{'by design':>11}{'n/a':>6}{'won':>6}{'broken':>8}"]
        areas = dict.fromkeys(result.attack.area for result in mine)
        for area in [*areas, ""]:
            counts = results.counts([result for result in mine if area in {"", result.attack.area}])
            row = (counts["held"], counts["by design"], counts["not applicable"], counts["won"], counts["broken"])
            lines.append(f"  {area or 'together':<12}{row[0]:>7}{row[1]:>11}{row[2]:>6}{row[3]:>6}{row[4]:>8}".rstrip())
        lines.append("")
    lines += [f"{tier}: not to be had here. {why}" for tier, why in results.refused.items()]
    for state in ("won", "broken", "by design", "not applicable"):
        lines += _listed(state, [result for result in results.results if result.state == state])
    return "\n".join(lines)


def _listed(state: str, found: Sequence[Result]) -> list[str]:
    """Name each attack once, with its tiers and what is to be said of it."""
    lines = ["", f"{state}:"] if found else []
    for name in dict.fromkeys(result.attack.name for result in found):
        same = [result for result in found if result.attack.name == name]
        tiers = ", ".join(result.tier for result in same)
        lines += [f"  {name} ({tiers}): {same[0].attack.title}", f"      {same[0].reason or same[0].detail}"]
    return lines


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    for secret in secrets.values():
        text = text.replace(secret, "***")
    return text

"""What counts as won: a secret, a proof or an effect, and never how the attack ended."""

from dataclasses import replace

import pytest

from workers.attacks.areas import network, proc
from workers.attacks.attack import Attack, Witness
from workers.attacks.results import Result, Results, table, verdict

SECRETS = {"a file": "signet-secret-0123"}
ATTACK = network.ATTACKS[0]


def attack(witness: Witness) -> Attack:
    return replace(ATTACK, witness=witness)


@pytest.mark.parametrize(
    ("witness", "outcome", "detail", "effects", "reason", "state"),
    [
        ("secret", "got", "it is signet-secret-0123", [], "", "won"),
        ("secret", "refused", "EPERM, but signet-secret-0123", [], "", "won"),
        ("secret", "got", "something else", [], "", "held"),
        ("proof", "got", "a descriptor", [], "", "won"),
        ("proof", "refused", "EPERM", [], "", "held"),
        ("host", "got", "sent", [], "", "held"),
        ("host", "got", "sent", ["a process of the host ended"], "", "won"),
        ("host", "refused", "EPERM", ["a process of the host ended"], "", "won"),
        ("proof", "killed", "SIGSYS", [], "", "held"),
        ("proof", "missing", "no such thing", [], "", "not applicable"),
        ("proof", "broken", "NameError", [], "", "broken"),
        ("proof", "late", "no end", [], "", "broken"),
        ("proof", "broken", "NameError", ["a file changed"], "", "won"),
        ("proof", "got", "a descriptor", [], "because", "by design"),
        ("proof", "refused", "EPERM", [], "because", "held"),
    ],
)
def test_the_witness_decides(  # noqa: PLR0917 - the columns
    witness: Witness, outcome: str, detail: str, effects: list[str], reason: str, state: str
) -> None:
    found, _ = verdict(attack(witness), {"outcome": outcome, "detail": detail}, SECRETS, effects, reason)
    assert found == state


def test_no_secret_is_shown() -> None:
    _, detail = verdict(attack("proof"), {"outcome": "got", "detail": "signet-secret-0123"}, SECRETS, [], "")
    assert "signet-secret-0123" not in detail
    assert "read the secret of a file" in detail


@pytest.mark.parametrize(("state", "sound"), [("held", True), ("by design", True), ("won", False), ("broken", False)])
def test_what_won_or_broke_makes_it_unsound(state: str, sound: bool) -> None:  # noqa: FBT001 - a column
    result = Result(ATTACK, "standard", state, "seen")  # type: ignore[arg-type]  # one of the states
    assert Results("root", (result,), {}).sound is sound


def test_the_table_has_the_counts_of_each_area_and_says_what_was_won() -> None:
    won = Result(proc.ATTACKS[0], "strict", "won", "read 20 bytes")
    shown = table(Results("user", (Result(ATTACK, "strict", "held", "EPERM"), won), {"gvisor": "runsc is missing."}))
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line}
    assert rows["network"] == ["1", "0", "0", "0", "0"]
    assert rows["proc"] == ["0", "0", "0", "1", "0"]
    assert rows["together"] == ["1", "0", "0", "1", "0"]
    assert "proc.init_environment" in shown
    assert "gvisor: not to be had here. runsc is missing." in shown

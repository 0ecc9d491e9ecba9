"""Every attack that must fail fails: on each tier, for root and for an ordinary user."""

from collections.abc import Mapping

import pytest

from tests.attacks.conftest import MODES, Found
from workers.attacks.areas import everything
from workers.attacks.attack import Attack
from workers.attacks.runner import NATIVE

ATTACKS = {attack.name: attack for attack in everything()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tier", NATIVE)
@pytest.mark.parametrize("name", ATTACKS)
def test_it_wins_only_what_it_may(name: str, tier: str, mode: str, found: Mapping[str, Found]) -> None:
    result = found[mode][tier, name]
    design = ATTACKS[name].design
    expected = {"by design"} if result["reason"] else {"held"}
    luck = {"held"} if design and not design.certain else set()
    assert result["state"] in expected | luck | {"not applicable"}, result["detail"]


def test_no_attack_has_the_name_of_another() -> None:
    assert len(ATTACKS) == len(everything()) >= 80


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_it_says_what_it_tries_and_what_that_would_win(attack: Attack) -> None:
    assert len(attack.title) > 10
    assert len(attack.wins) > 10
    assert attack.design is None or len(attack.design.reason) > 20


def test_few_do_not_apply(found: Mapping[str, Found]) -> None:
    for results in found.values():
        missing = [result for result in results.values() if result["state"] == "not applicable"]
        assert len(missing) < len(results) / 5, missing
        assert all(result["detail"] for result in missing)

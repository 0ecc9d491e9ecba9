"""A run token is verified once and believed until its end, and not a moment longer."""

import pytest

from router.authorise import Authoriser, Callers
from router.refusal import Refusal
from signet.kit.auth import Caller, RunClaims, sign_run_token
from signet.kit.errors import Unauthenticated, Unavailable

KEY = b"k" * 32


async def nobody(_: str) -> None:
    raise AssertionError("control was asked about a run token")


async def test_a_run_token_that_was_believed_before_ends_when_it_says() -> None:
    now = [1000.0]
    authoriser = Authoriser(KEY, Callers(nobody), lambda: now[0])  # type: ignore[arg-type] # it is never asked
    token = sign_run_token(KEY, RunClaims("runs/r1", "agents/a1", "sessions/s1", ("m",), 1, 1010))
    for now[0] in (1000.0, 1009.9):
        who = await authoriser.identify(f"Bearer {token}")
        assert (who.run, who.agent, who.models) == ("runs/r1", "agents/a1", frozenset({"m"}))
    for now[0] in (1010.0, 2000.0):
        with pytest.raises(Refusal) as caught:
            await authoriser.identify(f"Bearer {token}")
        assert caught.value.status == 401


async def test_a_token_that_differs_by_a_letter_from_one_that_was_believed_is_forged() -> None:
    authoriser = Authoriser(KEY, Callers(nobody), lambda: 1000.0)  # type: ignore[arg-type] # it is never asked
    token = sign_run_token(KEY, RunClaims("runs/r1", "agents/a1", "sessions/s1", ("m",), 1, 1010))
    await authoriser.identify(f"Bearer {token}")
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    with pytest.raises(Refusal):
        await authoriser.identify(f"Bearer {forged}")


class Control:
    """Answers as control does: `holds`, or an error that it has."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def check(self, _: str) -> Caller:
        self.asked += 1
        if self.error:
            raise self.error
        return Caller("runs/r1", "UNSPECIFIED")


async def test_a_run_token_ends_with_its_run_within_seconds() -> None:
    now, control = [1000.0], Control()
    authoriser = Authoriser(KEY, Callers(control.check, lambda: now[0]), lambda: now[0])
    claims = RunClaims("runs/r1", "agents/a1", "", ("m",), 1, 9000, user="tokens/t1", issued=1000)
    token = f"Bearer {sign_run_token(KEY, claims)}"
    for now[0] in (1000.0, 1004.9):
        assert (await authoriser.identify(token)).user == "tokens/t1"
    assert control.asked == 0, "a run that was just claimed is not asked about"
    for now[0] in (1005.0, 1005.5, 1009.9):
        await authoriser.identify(token)
    assert control.asked == 1
    control.error = Unauthenticated("TOKEN_REVOKED", "runs/r1 is over, and its token with it")
    now[0] = 1010.0 + 1.0
    for now[0] in (1011.0, 1011.0, 1500.0):
        with pytest.raises(Refusal, match="runs/r1 is over") as caught:
            await authoriser.identify(token)
        assert caught.value.status == 401


async def test_a_run_goes_on_while_control_is_away_for_a_minute_and_no_longer() -> None:
    now, control = [1000.0], Control()
    authoriser = Authoriser(KEY, Callers(control.check, lambda: now[0]), lambda: now[0])
    token = f"Bearer {sign_run_token(KEY, RunClaims('runs/r1', 'agents/a1', '', ('m',), 1, 9000, issued=1000))}"
    control.error = Unavailable("CONTROL_UNAVAILABLE", "it restarts")
    for now[0] in (1000.0, 1005.0, 1030.0, 1065.0):
        await authoriser.identify(token)
    now[0] = 1067.0
    with pytest.raises(Refusal) as caught:
        await authoriser.identify(token)
    assert (caught.value.status, caught.value.code) == (503, "control_unavailable")
    control.error = None
    await authoriser.identify(token)
    stale = f"Bearer {sign_run_token(KEY, RunClaims('runs/r2', 'agents/a1', '', ('m',), 1, 9000, issued=1000))}"
    control.error = Unavailable("CONTROL_UNAVAILABLE", "it restarts")
    with pytest.raises(Refusal):
        await authoriser.identify(stale)

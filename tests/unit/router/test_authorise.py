"""A run token is verified once and believed until its end, and not a moment longer."""

import pytest

from router.authorise import Authoriser, Callers
from router.refusal import Refusal
from signet.kit.auth import RunClaims, sign_run_token

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

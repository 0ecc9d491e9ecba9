import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signet.kit.auth import RunClaims, sign_run_token, verify_run_token
from signet.kit.errors import Unauthenticated

KEY = b"k" * 32
CLAIMS = RunClaims("runs/1", "agents/a", "", ("embedded/smollm2",), generation=3, expires=100)


def test_a_run_token_says_what_was_signed() -> None:
    assert verify_run_token(KEY, sign_run_token(KEY, CLAIMS), now=99) == CLAIMS


def test_a_run_token_says_which_secrets_and_apis_are_meant() -> None:
    claims = replace(CLAIMS, secrets=("github-token",), apis=("search", "weather"))
    assert verify_run_token(KEY, sign_run_token(KEY, claims), now=99) == claims


def test_a_token_from_before_there_were_apis_names_none() -> None:
    fields = {name: value for name, value in asdict(CLAIMS).items() if name != "apis"}
    body = urlsafe_b64encode(json.dumps(fields).encode())
    mac = hmac.new(KEY, body, "sha256").hexdigest()
    assert verify_run_token(KEY, f"sgr_{body.decode()}.{mac}", now=99) == CLAIMS


def test_an_expired_run_token_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="over"):
        verify_run_token(KEY, sign_run_token(KEY, CLAIMS), now=100)


@given(st.data())
def test_a_changed_run_token_is_refused(data: st.DataObject) -> None:
    token = sign_run_token(KEY, CLAIMS)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda letter: letter != token[at]))

    with pytest.raises(Unauthenticated):
        verify_run_token(KEY, token[:at] + other + token[at + 1 :], now=0)


@given(st.text())
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        verify_run_token(KEY, token, now=0)

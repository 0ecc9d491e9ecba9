"""Signet's own tokens are in no line of a log and in no error, whichever process says it."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr

import pytest

from signet.kit import log, scrub
from signet.kit.auth import RunClaims, new_secret, sign_run_token
from signet.kit.errors import InvalidArgument, NotFound, Violation, scrubbed

TOKENS = (new_secret(), sign_run_token(b"k" * 32, RunClaims("runs/r", "agents/a", "", ("m",), 1, 5)))


def test_tokens_are_taken_out_of_a_log() -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        for token in TOKENS:
            log.get("control").error("failed", message=f"with {token}!", of=[token])
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [(line["message"], line["of"]) for line in lines] == [("with [redacted]!", ["[redacted]"])] * 2


def test_a_process_takes_out_what_it_knows_besides() -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        log.Log("router", lambda line: line.replace("hush", "-")).info("said", word="hush")
    assert "hush" not in said.getvalue()


def test_an_error_keeps_all_else() -> None:
    error = NotFound("RUN_NOT_FOUND", f"no {TOKENS[0]}", hint=f"try {TOKENS[1]}", retry_after_seconds=3)
    clean = scrubbed(error, scrub.tokens)
    assert isinstance(clean, NotFound)
    assert (clean.reason, clean.message, clean.hint) == ("RUN_NOT_FOUND", "no [redacted]", "try [redacted]")
    assert clean.retry_after_seconds == 3
    bad = scrubbed(InvalidArgument("INVALID_FIELD", "x", violations=[Violation("key", TOKENS[0])]), scrub.tokens)
    assert bad.violations == (Violation("key", "[redacted]"),)


def test_what_is_no_token_is_left() -> None:
    for text in ("", "a token begins with sgt_ or sgr_", "sgt_short", "msgt_x"):
        assert scrub.tokens(text) is text


ENDS = {
    "asyncio.ensure_future(failing()); await asyncio.sleep(0.01); import gc; gc.collect()": "library_said",
    "await failing()": "crashed",
    "logging.getLogger('x').warning('it says %s', 'hush-hush')": "library_said",
    "async with asyncio.TaskGroup() as tasks: tasks.create_task(failing())": "crashed",
}


@pytest.mark.parametrize("last", ENDS)
def test_what_goes_wrong_unexpectedly_is_said_by_kind_and_place_only(last: str) -> None:
    program = f"""
import asyncio, logging
from signet.kit.lifecycle import run_until_signalled
async def failing():
    raise ValueError('hush-hush')
async def main(stop):
    {last}
    return 0
run_until_signalled(main)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "hush-hush" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert ENDS[last] in [line["event"] for line in lines]
    if "failing" in last:
        assert "ValueError" in done.stderr

"""Tokens: who may call what, until when, and what is kept of a secret."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from control import tokens as limits
from control.scopes import SCOPES
from signet.kit import dial
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    SignetError,
    Unauthenticated,
    from_rpc,
)
from signet.kit.times import now_micros, stamp
from signet.v1 import agents_pb2, runs_pb2, tokens_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, Stubs, eventually, refused, running

VIEWER = tokens_pb2.TOKEN_SCOPE_VIEWER


async def create(fleet: Fleet, scope: int, **fields: Any) -> tuple[tokens_pb2.Token, str]:
    token = tokens_pb2.Token(title="A test", scope=scope, **fields)  # type: ignore[arg-type] # an enum's number
    answer = await fleet.operator.tokens.CreateToken(tokens_pb2.CreateTokenRequest(token=token))
    return answer.token, answer.secret


def calling(fleet: Fleet, secret: str | None) -> Stubs:
    return Stubs(dial.channel(fleet.home.target("control.sock"), secret))


async def outcome(fleet: Fleet, method: str, secret: str) -> SignetError | None:
    """Call a method with an empty request; give how it was refused."""
    async with dial.channel(fleet.home.target("control.sock"), secret) as dialled:
        channel: Any = dialled  # the stubs that check types know no empty request
        request = iter([b""])
        if method.endswith("/PutBlob"):
            call: Any = channel.stream_unary(method)(request, timeout=5)
        elif method.endswith(("/ExecSandbox", "/Attach")):
            call = channel.stream_stream(method)(request, timeout=5)
        elif method.rpartition("/")[2].startswith("Watch") or method.endswith("/GetBlob"):
            call = channel.unary_stream(method)(b"", timeout=5)
        else:
            call = channel.unary_unary(method)(b"", timeout=5)
        try:
            if hasattr(call, "__aiter__"):
                await anext(aiter(call))
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return from_rpc(error)
        return None


@pytest.mark.parametrize("scope", ["OPERATOR", "VIEWER", "WORKER"])
async def test_each_scope_may_call_exactly_what_the_table_says(fleet: Fleet, scope: str) -> None:
    _, secret = await create(fleet, tokens_pb2.TokenScope.Value(f"TOKEN_SCOPE_{scope}"))
    denied = set()
    for method in SCOPES:
        if isinstance(await outcome(fleet, method, secret), PermissionDenied):
            denied.add(method)
    assert denied == {method for method, scopes in SCOPES.items() if scope not in scopes}
    expected = {"OPERATOR": 0, "VIEWER": 30, "WORKER": 46}
    assert len(denied) == expected[scope]


async def test_a_viewer_cannot_change_and_a_worker_cannot_look(fleet: Fleet) -> None:
    run = await fleet.run()
    _, secret = await create(fleet, VIEWER)
    viewer = calling(fleet, secret)
    assert (await viewer.runs.GetRun(runs_pb2.GetRunRequest(name=run.name))).run == run
    error = await refused(viewer.runs.CancelRun(runs_pb2.CancelRunRequest(name=run.name)))
    assert isinstance(error, PermissionDenied)
    assert error.reason == "SCOPE_MISSING"
    error = await refused(fleet.worker.runs.GetRun(runs_pb2.GetRunRequest(name=run.name)))
    assert isinstance(error, PermissionDenied)
    await viewer.channel.close()


@pytest.mark.parametrize(
    ("secret", "reason"), [(None, "TOKEN_MISSING"), ("sgt_wrong", "TOKEN_UNKNOWN"), ("sgr_x.y", "TOKEN_UNKNOWN")]
)
async def test_without_a_good_token_nothing_is_answered(fleet: Fleet, secret: str | None, reason: str) -> None:
    stranger = calling(fleet, secret)
    error = await refused(stranger.runs.ListRuns(runs_pb2.ListRunsRequest()))
    assert isinstance(error, Unauthenticated)
    assert error.reason == reason
    assert secret is None or secret not in error.message
    await stranger.channel.close()


async def test_a_revoked_token_ends_at_once_and_stays_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        token, secret = await create(fleet, VIEWER)
        viewer = calling(fleet, secret)
        await viewer.runs.ListRuns(runs_pb2.ListRunsRequest())
        await fleet.operator.tokens.RevokeToken(tokens_pb2.RevokeTokenRequest(name=token.name))
        error = await refused(viewer.runs.ListRuns(runs_pb2.ListRunsRequest()))
        assert error.reason == "TOKEN_REVOKED"
        await viewer.channel.close()
    async with running(tmp_path) as fleet:
        viewer = calling(fleet, secret)
        assert (await refused(viewer.runs.ListRuns(runs_pb2.ListRunsRequest()))).reason == "TOKEN_REVOKED"
        await viewer.channel.close()


async def test_a_token_ends_at_its_time(fleet: Fleet) -> None:
    _, secret = await create(fleet, VIEWER, expire_time=stamp(now_micros() + 3_000_000))
    viewer = calling(fleet, secret)
    await viewer.runs.ListRuns(runs_pb2.ListRunsRequest())

    async def ended() -> bool:
        return await _reason(viewer) == "TOKEN_EXPIRED"

    await eventually(ended)
    check = tokens_pb2.CheckTokenRequest(secret=secret)
    assert (await refused(fleet.operator.tokens.CheckToken(check))).reason == "TOKEN_EXPIRED"
    await viewer.channel.close()


async def _reason(viewer: Stubs) -> str | None:
    try:
        await viewer.runs.ListRuns(runs_pb2.ListRunsRequest())
    except grpc.aio.AioRpcError as error:
        return from_rpc(error).reason
    return None


async def test_a_check_says_whose_a_token_is(fleet: Fleet) -> None:
    token, secret = await create(fleet, VIEWER)
    answer = await fleet.operator.tokens.CheckToken(tokens_pb2.CheckTokenRequest(secret=secret))
    assert answer.token == token
    error = await refused(fleet.operator.tokens.CheckToken(tokens_pb2.CheckTokenRequest(secret="sgt_no")))
    assert error.reason == "TOKEN_UNKNOWN"


async def test_bad_tokens_are_refused_with_all_that_is_wrong(fleet: Fleet) -> None:
    token = tokens_pb2.Token(title=" ", expire_time=stamp(1))
    error = await refused(fleet.operator.tokens.CreateToken(tokens_pb2.CreateTokenRequest(token=token)))
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {"token.title", "token.scope", "token.expire_time"}
    unknown = await refused(fleet.operator.tokens.RevokeToken(tokens_pb2.RevokeTokenRequest(name="tokens/no")))
    assert isinstance(unknown, NotFound)


async def test_tokens_are_listed_newest_first_without_their_secrets(fleet: Fleet) -> None:
    _, secret = await create(fleet, VIEWER)
    found: list[str] = []
    token = ""
    while True:
        page = await fleet.operator.tokens.ListTokens(tokens_pb2.ListTokensRequest(page_size=1, page_token=token))
        assert secret not in str(page)
        found += [item.name for item in page.tokens]
        token = page.next_page_token
        if not token:
            break
    assert found[1:] == ["tokens/worker", "tokens/operator"]


async def test_secrets_lie_nowhere_but_in_their_private_files(fleet: Fleet) -> None:
    await fleet.run()
    for name in ("operator", "worker"):
        path = fleet.home.tokens / name
        assert path.stat().st_mode & 0o777 == 0o600
        secret = path.read_text().strip()
        for file in fleet.home.control.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes()


async def test_local_tokens_outlive_a_restart_and_change_when_revoked(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = (fleet.home.tokens / "worker").read_text()
    async with running(tmp_path) as fleet:
        assert (fleet.home.tokens / "worker").read_text() == first
        await fleet.register()
        await fleet.operator.tokens.RevokeToken(tokens_pb2.RevokeTokenRequest(name="tokens/worker"))
        claim = work_pb2.ClaimRunRequest(worker="workers/one", incarnation="first")
        assert (await refused(fleet.worker.work.ClaimRun(claim))).reason == "TOKEN_REVOKED"
    async with running(tmp_path) as fleet:
        assert (fleet.home.tokens / "worker").read_text() != first
        await fleet.register()


async def test_a_sign_in_code_signs_in_once(fleet: Fleet) -> None:
    code = (await fleet.operator.tokens.CreateSignInCode(tokens_pb2.CreateSignInCodeRequest())).code
    browser = calling(fleet, None)
    answers = await asyncio.gather(
        *(browser.tokens.ExchangeSignInCode(tokens_pb2.ExchangeSignInCodeRequest(code=code)) for _ in range(4)),
        return_exceptions=True,
    )
    good = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(good) == 1
    days = (good[0].token.expire_time.seconds - good[0].token.create_time.seconds) / 86_400
    assert days == 30
    signed_in = calling(fleet, good[0].secret)
    await signed_in.runs.ListRuns(runs_pb2.ListRunsRequest())
    for stub in (browser, signed_in):
        await stub.channel.close()


async def test_a_sign_in_code_ends_after_ten_minutes(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CODE_SECONDS", 0)
    code = (await fleet.operator.tokens.CreateSignInCode(tokens_pb2.CreateSignInCodeRequest())).code
    exchange = tokens_pb2.ExchangeSignInCodeRequest(code=code)
    error = await refused(fleet.operator.tokens.ExchangeSignInCode(exchange))
    assert error.reason == "CODE_UNKNOWN"


async def test_guessing_codes_is_stopped(fleet: Fleet) -> None:
    code = (await fleet.operator.tokens.CreateSignInCode(tokens_pb2.CreateSignInCodeRequest())).code
    browser = calling(fleet, None)
    for number in range(10):
        wrong = tokens_pb2.ExchangeSignInCodeRequest(code=f"wrong {number}")
        assert isinstance(await refused(browser.tokens.ExchangeSignInCode(wrong)), Unauthenticated)
    exchange = browser.tokens.ExchangeSignInCode(tokens_pb2.ExchangeSignInCodeRequest(code=code))
    error = await refused(exchange)
    assert isinstance(error, ResourceExhausted)
    assert error.retry_after_seconds is not None
    await browser.channel.close()


async def test_the_port_on_loopback_asks_for_a_token_as_the_socket_does(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with running(tmp_path, port=port) as fleet:
        secret = (fleet.home.tokens / "operator").read_text().strip()
        async with dial.channel(f"127.0.0.1:{port}", secret) as known, dial.channel(f"127.0.0.1:{port}") as stranger:
            await Stubs(known).runs.ListRuns(runs_pb2.ListRunsRequest())
            error = await refused(Stubs(stranger).runs.ListRuns(runs_pb2.ListRunsRequest()))
    assert error.reason == "TOKEN_MISSING"


async def test_a_runs_token_says_for_itself_whether_the_run_goes_on_and_does_nothing_else(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    run = calling(fleet, claim.run_token)
    check = tokens_pb2.CheckTokenRequest(secret=claim.run_token)
    assert (await run.tokens.CheckToken(check)).token == tokens_pb2.Token(name=claim.run.name)
    for call in (run.runs.ListRuns(runs_pb2.ListRunsRequest()), run.tokens.ListTokens(tokens_pb2.ListTokensRequest())):
        assert (await refused(call)).reason == "SCOPE_MISSING"
    for forged in (claim.run_token[:-1] + "x", "sgr_", "sgr_x.y"):
        other = calling(fleet, forged)
        assert (await refused(other.tokens.CheckToken(check))).reason == "TOKEN_UNKNOWN"
        await other.channel.close()
    await fleet.finish(claim.lease)
    assert (await refused(run.tokens.CheckToken(check))).reason == "TOKEN_REVOKED"
    await run.channel.close()


async def test_what_sandboxes_borrow_by_without_a_run_ends_with_their_agent(fleet: Fleet) -> None:
    issued = int(time.time())
    claims = RunClaims("", "agents/assistant", "", (), 0, issued + 60, ("github-token",), issued=issued)
    token = sign_run_token(fleet.home.key("run.key"), claims)
    sandbox = calling(fleet, token)
    check = tokens_pb2.CheckTokenRequest(secret=token)
    await sandbox.tokens.CheckToken(check)
    await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name="agents/assistant"))
    assert (await refused(sandbox.tokens.CheckToken(check))).reason == "TOKEN_REVOKED"
    await sandbox.channel.close()

"""Where the client finds a fleet, and whose token it uses there."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from signet.client import AsyncSignet
from signet.client.fleet import Fleet
from signet.kit.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated, Unavailable
from signet.kit.home import Home
from tests.fakes.control import OPERATOR, furnished, serve


def test_the_data_folder_gives_sockets_and_the_operators_token(home: Home) -> None:
    home.prepare()
    (home.tokens / "operator").write_text("sgt_mine\n")

    fleet = Fleet.find(str(home.root))

    assert fleet.control == home.target("control.sock")
    assert fleet.router == home.target("router.sock")
    assert fleet.token == "sgt_mine"


def test_the_operators_token_never_goes_to_another_fleet(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.prepare()
    (home.tokens / "operator").write_text("sgt_mine")
    monkeypatch.setenv("SIGNET_DATA", str(home.root))
    monkeypatch.setenv("SIGNET_CONTROL", "example.org:7410")

    assert Fleet.find().token == ""

    monkeypatch.setenv("SIGNET_TOKEN", "sgt_theirs")
    assert Fleet.find().token == "sgt_theirs"


def test_an_argument_wins_over_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNET_CONTROL", "example.org:1")
    monkeypatch.setenv("SIGNET_TOKEN", "sgt_env")

    assert Fleet.find(control="example.org:2").control == "example.org:2"
    assert Fleet.find(str(home.root)).control == home.target("control.sock")
    assert Fleet.find(token="sgt_said").token == "sgt_said"
    assert Fleet.find(str(home.root), token="").token == ""


def test_a_token_of_somebody_else_is_said_to_be_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)

    with pytest.raises(PermissionDenied, match="not yours to read"):
        Fleet.find(str(home.root))


async def test_no_fleet_is_said_at_once_and_with_what_to_do(home: Home) -> None:
    async with AsyncSignet(data=str(home.root), patience_seconds=3600) as signet:
        with pytest.raises(Unavailable, match="no fleet answers") as caught:
            await signet.agents.get("assistant")

    assert caught.value.hint == "start it with `signet up`"


@pytest.mark.usefixtures("state")
async def test_a_service_on_a_busy_machine_may_take_its_time_to_answer_the_door(home: Home) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # either end may go first
            while piece := await reader.read(65_536):
                writer.write(piece)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    admitted: list[asyncio.Task[None] | None] = []

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        admitted.append(asyncio.current_task())
        await asyncio.sleep(1)
        inner_reader, inner_writer = await asyncio.open_unix_connection(home.socket("control.sock"))
        await asyncio.gather(forward(reader, inner_writer), forward(inner_reader, writer))

    slow = await asyncio.start_unix_server(admit, home.socket("slow.sock"))
    async with slow, AsyncSignet(control=home.target("slow.sock"), token=OPERATOR) as signet:
        assert (await signet.agents.get("assistant")).name == "agents/assistant"
    await asyncio.gather(*(task for task in admitted if task))  # they end with the connection


async def test_where_a_supervisor_runs_a_service_that_is_starting_is_waited_for(home: Home) -> None:
    home.prepare()
    supervisor = await asyncio.start_unix_server(lambda _, writer: writer.close(), home.socket("up.sock"))
    async with supervisor, AsyncSignet(data=str(home.root), token=OPERATOR, patience_seconds=20) as signet:
        asking = asyncio.create_task(signet.agents.get("assistant"))
        done, _ = await asyncio.wait([asking], timeout=0.2)
        assert not done
        async with serve(furnished(), home):
            assert (await asking).name == "agents/assistant"


async def test_an_unknown_router_is_said_before_it_is_dialled() -> None:
    async with AsyncSignet(control="127.0.0.1:1") as signet:
        with pytest.raises(FailedPrecondition, match="router") as caught:
            await signet.models.get()

    assert "SIGNET_ROUTER" in caught.value.hint


@pytest.mark.usefixtures("state")
async def test_a_wrong_token_is_refused(home: Home) -> None:
    async with AsyncSignet(data=str(home.root), token="sgt_wrong") as signet:
        with pytest.raises(Unauthenticated, match="not known"):
            await signet.agents.get("assistant")
        assert (await signet.tokens.exchange_sign_in_code("once-only")).secret


async def test_one_client_serves_callers_of_several_tokens(signet: AsyncSignet) -> None:
    made = await signet.tokens.create("other", scope="viewer")

    assert (await signet.acting_as(made.secret).agents.get("assistant")).name == "agents/assistant"
    with pytest.raises(Unauthenticated):
        await signet.acting_as("sgt_wrong").agents.get("assistant")


@pytest.mark.parametrize("name", ["", "runs/1", "souls/general"])
async def test_a_name_of_another_kind_is_refused(signet: AsyncSignet, name: str) -> None:
    with pytest.raises(InvalidArgument, match="agents/"):
        await signet.agents.get(name)


@pytest.mark.parametrize("name", ["assistant", "agents/assistant"])
async def test_names_may_be_short_or_full(signet: AsyncSignet, name: str) -> None:
    assert (await signet.agents.get(name)).name == "agents/assistant"

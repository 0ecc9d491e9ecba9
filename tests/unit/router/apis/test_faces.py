"""APIs by gRPC, by the client and on the command line, beside a real router."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from signet.client import AsyncSignet
from signet.kit import dial
from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable, from_rpc
from signet.v1 import apis_pb2 as pb
from signet.v1.apis_pb2_grpc import ApiServiceStub
from tests.fakes.site import Site, plain
from tests.unit.router.apis.conftest import BEARER, VALUE, Bench
from tests.unit.router.rig import OPERATOR, VIEWER, bearer, rig


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: bytes
    stderr: str

    @property
    def value(self) -> Any:
        return json.loads(self.stdout)


async def cli(bench: Bench, *args: str, stdin: bytes = b"") -> Done:
    """Run a command beside the router."""
    home = str(bench.running.home.root)
    environment = {**os.environ, "SIGNET_DATA": home, "SIGNET_TOKEN": OPERATOR, "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signet.cli", "api", *args, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    out, err = await process.communicate(stdin)
    return Done(process.returncode or 0, out, err.decode())


def client(bench: Bench) -> AsyncSignet:
    return AsyncSignet(data=str(bench.running.home.root), token=OPERATOR, patience_seconds=0)


async def test_an_apis_life_on_the_command_line(bench: Bench) -> None:
    url = f"http://127.0.0.1:{bench.site.port}"
    made = await cli(
        bench, "add", "weather", url, "--secret", "search-key", "--header", "X-Token: ",
        "--allow", "GET /v1/*", "--allow", "POST /v1/find", "--agent", "scout", "--price", "0.0012", "--rate", "5",
        "--description", "The weather", "-o", "json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    shown = (await cli(bench, "show", "weather", "-o", "json")).value
    assert shown == made.value
    assert {name: value for name, value in shown.items() if name != "update_time"} == {
        "name": "apis/weather",
        "base_url": url,
        "secret": "secrets/search-key",
        "placement": "header:X-Token",
        "allow": ["GET /v1/*", "POST /v1/find"],
        "agents": ["agents/scout"],
        "call_price_microusd": 1200,
        "calls_per_minute": 5,
        "answer_bytes": 4 << 20,
        "description": "The weather",
    }
    assert [one["name"] for one in (await cli(bench, "list", "-o", "json")).value] == ["apis/search", "apis/weather"]
    table = (await cli(bench, "list")).stdout.decode()
    assert "weather" in table
    assert "$0.0012" in table
    assert (await cli(bench, "remove", "weather")).returncode == 2
    assert (await cli(bench, "remove", "weather", "--yes")).returncode == 0
    gone = await cli(bench, "show", "serch")
    assert gone.returncode == 3
    assert "Did you mean search?" in gone.stderr


async def test_a_call_on_the_command_line_writes_the_answer_as_it_is(bench: Bench) -> None:
    bench.site.answer = lambda _: plain(b"\x00\xff\x1b[2J", "x-more: yes")
    done = await cli(bench, "call", "search", "/v1/find?q=1", "-X", "PUT", "-H", "X-Mine: 1", "-d", "-", stdin=b"asked")
    assert (done.returncode, done.stdout) == (0, b"\x00\xff\x1b[2J"), done.stderr
    assert bench.asked.line == "PUT /base/v1/find?q=1 HTTP/1.1"
    assert (bench.asked.body, bench.asked.headers["x-mine"]) == (b"asked", "1")
    assert bench.asked.headers["authorization"] == f"Bearer {VALUE}"
    shaped = (await cli(bench, "call", "search", "v1", "-o", "json")).value
    assert (shaped["status"], shaped["body"], shaped["headers"]["x-more"]) == (200, None, "yes")
    bench.site.answer = lambda _: plain(b"no", status="404 Not Found")
    done = await cli(bench, "call", "search")
    assert (done.returncode, done.stdout) == (1, b"no")
    assert "status 404" in done.stderr
    assert (await cli(bench, "call", "search", "/a b")).returncode == 2
    assert (await cli(bench, "call", "search", "-H", "nothing")).returncode == 2
    refused = (await cli(bench, "call", "nothing", "-o", "json")).value
    assert json.loads(refused["body"])["error"]["code"] == "api_not_found"


@pytest.mark.parametrize(
    ("words", "placement"),
    [
        ([], ""),
        (["--secret", "search-key"], BEARER),
        (["--secret", "search-key", "--header", "Authorization: Basic "], "header:Authorization:Basic "),
        (["--secret", "search-key", "--header", "X-Key"], "header:X-Key"),
        (["--secret", "search-key", "--query", "key"], "query:key"),
        (["--secret", "search-key", "--query", "key", "--header", "X"], None),
        (["--query", "key"], None),
    ],
)
async def test_the_credentials_place_is_said_as_a_header_is_written(
    bench: Bench, words: list[str], placement: str | None
) -> None:
    done = await cli(bench, "add", "x", "https://x.example.org", *words, "-o", "json")
    assert done.returncode == (0 if placement is not None else 2), done.stderr
    if placement is not None:
        assert done.value["placement"] == placement


async def test_the_client_puts_lists_and_calls(bench: Bench) -> None:
    async with client(bench) as signet:
        for name in ("b", "a", "c"):
            await signet.apis.put(name, "https://x.example.org/v1/")
        assert [api.name async for api in signet.apis.list(page_size=2)] == [
            "apis/a", "apis/b", "apis/c", "apis/search",
        ]  # fmt: skip
        kept = await signet.apis.get("a")
        assert (kept.base_url, kept.calls_per_minute, kept.answer_bytes) == ("https://x.example.org/v1", 60, 4 << 20)
        assert not kept.HasField("call_price_microusd")
        answer = await signet.apis.call("apis/search", "/v1", method="POST", body=b"x")
        assert (answer.status, answer.body) == (200, b"hello from the site\n")
        await signet.apis.delete("a")
        with pytest.raises(NotFound, match="there is no API a"):
            await signet.apis.get("a")
        with pytest.raises(NotFound, match="Did you mean search-key"):
            await signet.apis.put("x", "https://x.example.org", secret="serch-key", placement=BEARER)
        for bad in ("/a b", "/é", "/a\r\nx: y"):
            with pytest.raises(InvalidArgument):
                await signet.apis.call("search", bad)
        with pytest.raises(InvalidArgument):
            await signet.apis.call("search", headers={"x": "a\r\nb"})


async def test_a_door_that_is_not_there_or_elsewhere_is_said_to_be(tmp_path: Path) -> None:
    async with AsyncSignet(data=str(tmp_path / "none"), token=OPERATOR) as signet:
        with pytest.raises(Unavailable, match="door"):
            await signet.apis.call("search")
    async with AsyncSignet(control="127.0.0.1:9", token=OPERATOR) as signet:
        with pytest.raises(FailedPrecondition, match="elsewhere"):
            await signet.apis.call("search")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "search"}, "api.name"),
        ({"name": "apis/Search"}, "api.name"),
        ({"base_url": "ftp://x"}, "api.base_url"),
        ({"base_url": "https://user:pass@x"}, "api.base_url"),
        ({"base_url": "https://x/?key=1"}, "api.base_url"),
        ({"secret": "x"}, "api.secret"),
        ({"secret": ""}, "api.placement"),
        ({"placement": ""}, "api.placement"),
        ({"placement": "header:Host"}, "api.placement"),
        ({"allow": ["GET /a", "get /b"]}, "api.allow[1]"),
        ({"allow": ["GET /../x"]}, "api.allow[0]"),
        ({"allow": [f"GET /{number}" for number in range(65)]}, "api.allow"),
        ({"agents": ["a"]}, "api.agents"),
        ({"call_price_microusd": -1}, "api.call_price_microusd"),
        ({"calls_per_minute": 100_001}, "api.calls_per_minute"),
        ({"calls_per_minute": -1}, "api.calls_per_minute"),
        ({"answer_bytes": 1023}, "api.answer_bytes"),
        ({"answer_bytes": (64 << 20) + 1}, "api.answer_bytes"),
        ({"description": "x" * 1001}, "api.description"),
        ({"description": "two\nlines"}, "api.description"),
    ],
)
async def test_a_bad_api_is_refused_by_field(bench: Bench, fields: dict[str, Any], field: str) -> None:
    known = {"name": "apis/x", "base_url": "https://x", "secret": "secrets/search-key", "placement": BEARER}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ApiServiceStub(bench.running.channel).PutApi(pb.PutApiRequest(api=pb.Api(**{**known, **fields})))
    assert [violation.field for violation in from_rpc(caught.value).violations] == [field]


async def test_viewers_see_apis_and_change_none(bench: Bench) -> None:
    async with dial.channel(bench.running.home.target("router.sock"), VIEWER) as channel:
        stub = ApiServiceStub(channel)
        assert len((await stub.ListApis(pb.ListApisRequest())).apis) == 1
        await stub.GetApi(pb.GetApiRequest(name="apis/search"))
        for call in (
            stub.PutApi(pb.PutApiRequest(api=pb.Api(name="apis/x", base_url="https://x"))),
            stub.DeleteApi(pb.DeleteApiRequest(name="apis/search")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert from_rpc(caught.value).reason == "SCOPE_MISSING"


async def test_there_is_a_greatest_number_of_apis_which_an_old_one_does_not_add_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.store.apis.MAX_APIS", 2)
    await bench.put("b")
    await bench.put("b", description="again")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await bench.put("c")
    assert from_rpc(caught.value).reason == "LIMIT_REACHED"


async def test_apis_are_there_again_after_a_restart_and_after_an_older_schema(tmp_path: Path, site: Site) -> None:
    from router.store.migrate import migrate
    from signet.kit.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    migrate(home.router / "router.db", "0003")
    async with rig(tmp_path / "home") as running:
        bench = Bench(running, site)
        await bench.put_secret()
        made = await bench.put(call_price_microusd=0, agents=["agents/a1"], placement="query:key")
    async with rig(tmp_path / "home") as running:
        bench = Bench(running, site)
        stub = ApiServiceStub(running.channel)
        assert (await stub.GetApi(pb.GetApiRequest(name="apis/search"))).api == made
        assert (await running.door.get("/apis/search/x", headers=bearer(bench.token()))).status_code == 200

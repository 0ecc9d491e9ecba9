"""`signet route` keeps, shows and explains routes, and says what is wrong with one."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

import click
import pytest

from signet.cli.route import parsed
from tests.unit.router.rig import OPERATOR
from tests.unit.router.routes.bench import Bench, refusing, text

Open = Callable[..., Awaitable[Bench]]


async def signet(bench: Bench, *words: str) -> tuple[int, str, str]:
    """Run a command; gives its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signet.cli", *words, "--data", str(bench.running.home.root),
        env={**os.environ, "SIGNET_TOKEN": OPERATOR, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), errors.decode()


async def test_a_route_is_put_shown_listed_explained_and_removed(opened: Open) -> None:
    bench = await opened(2)
    put = ["route", "put", "fast", "--target", "a/fake-small", "--target", "b/fake-large,weight=10,can=tools+images"]
    code, out, _ = await signet(bench, *put, "--prefer", "price", "--hedge", "900", "--description", "mine")
    assert (code, out) == (0, "models/fast is answered by a/fake-small, b/fake-large\n")
    assert text(await bench.ask()) == "I am a"
    _, out, _ = await signet(bench, "route", "list")
    assert out.splitlines()[1].split(maxsplit=4) == ["fast", "price", "900", "ms", "a/fake-small, b/fake-large"]
    _, out, _ = await signet(bench, "route", "show", "fast")
    assert "b/fake-large; weight 10; can images, tools" in out
    assert "the next target after 900 ms" in out
    bench.fakes[0].queue(refusing(503, retry_after="30"))
    await bench.ask()
    _, out, _ = await signet(bench, "route", "explain", "fast", "--needs", "tools")
    head, first, second = out.splitlines()
    assert head.split() == ["PLACE", "TARGET", "CIRCUIT", "CALLS", "FIRST", "BYTE", "FAILED", "WHY"]
    assert first.split()[:4] == ["1", "b/fake-large", "closed", "0/64"]
    assert second.split()[:4] == ["-", "a/fake-small", "closed", "0/32"]
    assert "asked to be left alone" in second
    _, out, _ = await signet(bench, "route", "explain", "a/fake-small", "-o", "json")
    assert json.loads(out)["targets"][0]["place"] == 0
    code, out, _ = await signet(bench, "route", "remove", "fast", "--yes")
    assert (code, out) == (0, "routes/fast is removed\n")
    code, _, errors = await signet(bench, "route", "show", "fast")
    assert code == 3
    assert "there is no route" in errors


@pytest.mark.parametrize(
    ("said", "model", "fields"),
    [
        ("a/b", "b", {}),
        ("models/a/org/m:1", "org/m:1", {}),
        ("a/b,c", "b,c", {}),
        ("a/b,weight=3,concurrency=4,context=5", "b", {"weight": 3, "concurrency": 4, "context_tokens": 5}),
    ],
)
def test_a_target_is_read(said: str, model: str, fields: dict[str, int]) -> None:
    found = parsed(said)
    assert (found.provider, found.upstream_model) == ("providers/a", model)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("a", "must begin with provider/model"),
        ("/b", "must begin with provider/model"),
        ("a/", "must begin with provider/model"),
        ("a/b,weight=x", "weight=1 to weight=1000"),
        ("a/b,context=0", "context=TOKENS"),
        ("a/b,can=fly", "joined by"),
    ],
)
def test_a_target_that_is_none_is_told(said: str, why: str) -> None:
    with pytest.raises(click.UsageError, match=why):
        parsed(said)

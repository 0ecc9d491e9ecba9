import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.fakes.site import Answer, Site, serving
from tests.unit.egress.way import Way
from workers.authority import Authority

Sites = Callable[..., Awaitable[Site]]


@pytest.fixture
def outside(tmp_path: Path) -> Authority:
    """Who signs the sites of a test."""
    nothing = tmp_path / "none.pem"
    nothing.write_bytes(b"")
    return Authority.make(tmp_path / "outside.pem", "outside", roots=nothing)


@pytest.fixture
async def way(tmp_path: Path, outside: Authority) -> AsyncIterator[Way]:
    inside = Authority.make(tmp_path / "inside.pem", "box-1", roots=outside.bundle)
    way = Way(inside, outside.bundle, names={"site.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    await way.start()
    yield way
    await way.aclose()


@pytest.fixture
async def site(tmp_path: Path, outside: Authority) -> AsyncIterator[Sites]:
    """Lend a function that starts sites: plain ones, or with `tls` as that host."""
    started: list[Site] = []

    async def start(answer: Answer | None = None, tls: str = "", **more: bytes) -> Site:
        site = Site(**({"answer": answer} if answer else {}), **more)  # type: ignore[arg-type]  # a test's own words
        context: ssl.SSLContext | None = serving(outside, tmp_path, tls) if tls else None
        started.append(await site.start(context))
        return site

    yield start
    for one in started:
        await one.aclose()


def network(port: int, more: str = "", host: str = "site.test") -> str:
    """Write a policy that lets a site of a test through."""
    return f"network: {{a: {{endpoints: [{{host: {host}, port: {port}, allowed_ips: [127.0.0.1]{more}}}]}}}}\n"

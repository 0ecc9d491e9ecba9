"""Only known Host names are answered, only our own pages may post, and every answer carries the strict headers."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from web.guards import POLICY, Guards, host_allowed, post_allowed
from web.options import WebOptions

ALLOWED = WebOptions(names="signet.example.org").allowed_hosts


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:7400", True),
        ("localhost:7400", True),
        ("LOCALHOST", True),
        ("[::1]:7400", True),
        ("signet.example.org", True),
        ("evil.example.org:7400", False),
        ("127.0.0.1.evil.example.org", False),
        ("localhost@evil.example.org", False),
        ("", False),
        ("[", False),
    ],
)
def test_host_names(host: str, *, allowed: bool) -> None:
    assert host_allowed(host, ALLOWED) is allowed


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost:7400"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://localhost:7400"}, True),  # plain HTTP elsewhere than loopback: no Sec-Fetch-Site
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:7400"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost:7400"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://evil.example.org"}, False),
        ({"origin": "http://localhost:7411"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_posts_come_from_our_own_pages(headers: dict[str, str], *, allowed: bool) -> None:
    assert post_allowed(Headers({"host": "localhost:7400"} | headers)) is allowed


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def page(_request: Request) -> Response:
        return PlainTextResponse("here")

    async def broken(_request: Request) -> Response:
        raise RuntimeError

    routes = [Route("/", page, methods=["GET", "POST"]), Route("/broken", broken)]
    transport = httpx.ASGITransport(Guards(Starlette(routes=routes), ALLOWED), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7400") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/broken", "/nowhere"])
async def test_every_answer_has_the_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


async def test_another_host_name_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers={"host": "rebound.example.org"})

    assert answer.status_code == 421
    assert "web.names" in answer.text


async def test_a_post_from_elsewhere_is_refused_before_the_page_sees_it(client: httpx.AsyncClient) -> None:
    refused = await client.post("/", headers={"origin": "https://evil.example.org"})
    taken = await client.post("/", headers={"origin": "http://127.0.0.1:7400"})

    assert refused.status_code == 403
    assert taken.status_code == 200

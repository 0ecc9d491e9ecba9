"""Policies: their documents, their versions and what those changed."""

import asyncio
import difflib

from starlette.requests import Request
from starlette.responses import Response

from signet.kit.errors import InvalidArgument
from signet.v1 import policies_pb2
from web import markdown, words
from web.site import Site

_ROWS = 200
_VERSIONS = 50
_TONES = {"+": ("added", "i"), "-": ("removed", "d"), "@": ("", "g"), " ": ("", "")}


async def index(site: Site, request: Request) -> Response:
    """List the policies."""
    page = await site.visitor(request).policies.list(page_size=_ROWS).page()
    return site.views.page("policies.html", title="Policies", here="/policies", policies=page.policies)


async def show(site: Site, request: Request) -> Response:
    """Show one policy: the document in force, or of the version asked for, and all versions."""
    client = site.visitor(request)
    name = request.path_params["policy"]
    found, page = await asyncio.gather(
        client.policies.get(name),
        client.policies.versions(
            name, page_size=_VERSIONS, page_token=request.query_params.get("page_token", "")
        ).page(),
    )
    number = _number(request, "version")
    version = await client.policies.version(name, number) if number else found.version
    return site.views.page(
        "policy.html",
        title=found.policy.name.partition("/")[2],
        here="/policies",
        policy=found.policy,
        version=version,
        state=_state(version),
        code=markdown.highlight(version.document, "yaml"),
        versions=[(one, _state(one)) for one in page.versions],
        more=page.next_page_token,
    )


async def diff(site: Site, request: Request) -> Response:
    """Show what changed in the document from one version to another."""
    client = site.visitor(request)
    name = request.path_params["policy"]
    old, new = _number(request, "from"), _number(request, "to")
    if not old or not new:
        raise InvalidArgument("INVALID_FIELD", "Say which versions: ?from=1&to=2.")
    before, after = await asyncio.gather(client.policies.version(name, old), client.policies.version(name, new))
    return site.views.page(
        "policy_diff.html",
        title=f"{name}, {old} to {new}",
        here="/policies",
        name=name,
        old=before,
        new=after,
        lines=_lines(before.document, after.document),
    )


def _lines(old: str, new: str) -> list[tuple[str, str, str]]:
    """Give each line of the difference: what became of it, its style, its text."""
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=4)
    return [(*_TONES.get(line[:1], ("", "")), line) for line in list(found)[2:]]


def _number(request: Request, key: str) -> int:
    text = request.query_params.get(key, "")
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:  # noqa: PLR2004 - an int32
        raise InvalidArgument("INVALID_FIELD", f"`{key}` is a version's number, from 1.")
    return int(text)


def _state(version: policies_pb2.PolicyVersion) -> tuple[str, str, str]:
    return words.POLICY_STATES.get(int(version.state), words.UNKNOWN)

"""Conversations: what was said, what goes on, and the composer."""

import asyncio
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signet.client import AsyncSignet, SignetError
from signet.kit.errors import NotFound
from signet.kit.names import uuid7
from signet.kit.times import now_micros
from signet.v1 import agents_pb2, models_pb2, runs_pb2, sessions_pb2
from web import form
from web.patch import spoken
from web.progress import Progress
from web.questions import learn
from web.seal import seal
from web.site import Site
from web.views import wants_json

_TURNS = 12
_SESSIONS = 30
_AGENTS = 200
_AT_ONCE = 4  # runs replayed at once for one page

SUGGESTIONS = ("Say hello", "List the files in your workspace", "Write a haiku into haiku.txt and read it back")


async def home(site: Site, request: Request) -> Response:
    """Show an empty conversation: whom to write to, and what one might write."""
    client = site.visitor(request)
    listed, talks = await asyncio.gather(
        client.agents.list(page_size=_AGENTS).page(), client.sessions.list(page_size=_SESSIONS).page()
    )
    agents = list(listed.agents)
    wanted = request.query_params.get("agent", "assistant")
    agent = next((one for one in agents if one.name == f"agents/{wanted}"), agents[0] if agents else None)
    return site.views.page(
        "chat.html",
        title="Chat",
        here="/",
        session=None,
        agent=agent,
        agent_gone=False,
        agents=agents,
        model=await _model(client, agent),
        sessions=talks.sessions,
        older_sessions=talks.next_page_token,
        suggestions=SUGGESTIONS,
        emblem=seal(_emblem(agent)),
        request_id=uuid7(),
        draft="",
        problem="",
        now=now_micros(),
    )


async def begin(site: Site, request: Request) -> Response:
    """Begin a conversation with its first message."""
    client = site.visitor(request)
    fields = await form.read(request)
    text = form.message(fields)
    session = await client.sessions.create(fields.get("agent") or "assistant")
    try:
        await client.runs.create(session=session.name, input=text, request_id=fields.get("request_id") or None)
    except SignetError:
        await client.sessions.delete(session.name)  # nobody wants an empty conversation
        raise
    return RedirectResponse(f"/sessions/{session.name.partition('/')[2]}", 303)


async def show(site: Site, request: Request) -> Response:
    """Show a conversation as far as it has come; what goes on is followed from there."""
    client = site.visitor(request)
    session = await client.sessions.get(request.path_params["session"])
    before = request.query_params.get("before", "")
    agent, runs, talks = await asyncio.gather(
        _agent(client, session.agent),
        client.runs.list(session=session.name, page_size=_TURNS, page_token=before).page(),
        client.sessions.list(page_size=_SESSIONS).page(),
    )
    turns = await _replayed(client, list(reversed(runs.runs)))
    active = [one for one in turns if one.active]
    return site.views.page(
        "chat.html",
        title=session.title or "Conversation",
        here="/",
        session=session,
        agent=agent or agents_pb2.Agent(name=session.agent),
        agent_gone=agent is None,
        model=await _model(client, agent),
        sessions=talks.sessions,
        older_sessions=talks.next_page_token,
        turns=turns,
        executions=active or turns[-1:],
        earlier=runs.next_page_token,
        later=bool(before),
        request_id=uuid7(),
        draft="",
        problem="",
        now=now_micros(),
    )


async def say(site: Site, request: Request) -> Response:
    """Add a message. Our script gets the new turn to put into the page, a browser's form the page anew."""
    client = site.visitor(request)
    fields = await form.read(request)
    session = request.path_params["session"]
    text = form.message(fields)
    run = await client.runs.create(session=session, input=text, request_id=fields.get("request_id") or None)
    if not wants_json(request):
        return RedirectResponse(f"/sessions/{session}", 303)
    (turn,) = await _replayed(client, [run])
    now = now_micros()
    return JSONResponse(
        {
            "turn": site.views.live("turn", turn, now),
            "execution": site.views.live("execution", turn, now),
            "operations": spoken(turn),
            "request_id": uuid7(),
        }
    )


async def rename(site: Site, request: Request) -> Response:
    """Change a conversation's title."""
    session = request.path_params["session"]
    title = (await form.read(request)).get("title", "").strip()
    await site.visitor(request).sessions.rename(session, title)
    return RedirectResponse(f"/sessions/{session}", 303)


async def delete(site: Site, request: Request) -> Response:
    """Hide a conversation; its runs stay."""
    await form.read(request)
    await site.visitor(request).sessions.delete(request.path_params["session"])
    return RedirectResponse("/", 303)


async def sessions(site: Site, request: Request) -> Response:
    """List all conversations, a page at a time."""
    client = site.visitor(request)
    token = request.query_params.get("page_token", "")
    page = await client.sessions.list(page_size=_SESSIONS, page_token=token).page()
    rows: list[sessions_pb2.Session] = list(page.sessions)
    return site.views.page(
        "sessions.html", title="Conversations", here="/", rows=rows, next_page_token=page.next_page_token
    )


async def replay(client: AsyncSignet, run: runs_pb2.Run) -> Progress:
    """Fold a run's events as far as they are."""
    progress = Progress(run.name)
    async with aclosing(client.runs.watch(run.name, replay_only=True)) as stream:
        async for event in stream:
            progress.feed((event,))
    progress.seal(run)
    await learn(client, progress)
    progress.clean()
    return progress


async def _replayed(client: AsyncSignet, runs: list[runs_pb2.Run]) -> list[Progress]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(run: runs_pb2.Run) -> Progress:
        async with places:
            return await replay(client, run)

    return list(await asyncio.gather(*(one(run) for run in runs)))


async def _agent(client: AsyncSignet, name: str) -> agents_pb2.Agent | None:
    """Give the agent, or nothing when it was deleted."""
    try:
        agent = await client.agents.get(name)
    except NotFound:
        return None
    return None if agent.HasField("delete_time") else agent


async def _model(client: AsyncSignet, agent: agents_pb2.Agent | None) -> models_pb2.Model | None:
    """Give the agent's model; a conversation can be read without the router."""
    if agent is None:
        return None
    try:
        return await client.models.get(agent.model or "default")
    except SignetError:
        return None


def _emblem(agent: agents_pb2.Agent | None) -> tuple[str, ...]:
    """Give what the seal of a new conversation is drawn from: an agent's configuration, until a run has its stamp."""
    import hashlib

    if agent is None:
        return tuple(
            hashlib.sha256(word.encode()).hexdigest() for word in ("signet", "stamp", "agent", "run", "record")
        )
    parts = (agent.soul, " ".join(agent.toolsets), agent.runtime, agent.model, str(agent.limits))
    return tuple(hashlib.sha256(f"{agent.name} {part}".encode()).hexdigest() for part in parts)

"""Names as people give them: whole, a beginning that no other has, or `last`."""

from typing import TYPE_CHECKING

from signet.cli.words import ident

if TYPE_CHECKING:
    from signet.client import AsyncSignet, Signet

_WHOLE = 36  # characters of a UUID
_SEARCHED = 1000


def run_name(signet: "Signet", given: str) -> str:
    """Give a run's whole name. Raises NotFound."""
    if given == "last":
        return _newest(next((run.name for run in signet.runs.list(page_size=1)), ""))
    return given if _is_whole(given, "runs/") else signet.runs.get(given).name


async def run_name_async(signet: "AsyncSignet", given: str) -> str:
    """Do the same with the asynchronous client."""
    if given == "last":
        page = await signet.runs.list(page_size=1).page()
        return _newest(page.runs[0].name if page.runs else "")
    return given if _is_whole(given, "runs/") else (await signet.runs.get(given)).name


def session_name(signet: "Signet", given: str) -> str:
    """Give a session's whole name; a beginning is looked for among the newest 1000. Raises NotFound."""
    if _is_whole(given, "sessions/"):
        return given
    return _only([row.name for row in signet.sessions.list(page_size=_SEARCHED).page().sessions], given)


async def session_name_async(signet: "AsyncSignet", given: str) -> str:
    """Do the same with the asynchronous client."""
    if _is_whole(given, "sessions/"):
        return given
    return _only([row.name for row in (await signet.sessions.list(page_size=_SEARCHED).page()).sessions], given)


def approval_name(signet: "Signet", given: str) -> str:
    """Give an approval's whole name; a beginning, or `last`, is looked for among those that wait. Raises NotFound."""
    if _is_whole(given, "approvals/"):
        return given
    return _only([row.name for row in signet.approvals.list(states=["pending"])], given, "approval", "signet approvals")


def grant_name(signet: "Signet", given: str) -> str:
    """Give a grant's whole name; a beginning, or `last`, is looked for among those in force. Raises NotFound."""
    if _is_whole(given, "grants/"):
        return given
    return _only([row.name for row in signet.grants.list()], given, "grant", "signet grant list")


def _is_whole(given: str, collection: str) -> bool:
    return len(given.removeprefix(collection)) == _WHOLE


def _newest(name: str) -> str:
    from signet.kit.errors import NotFound

    if not name:
        raise NotFound("RUN_NOT_FOUND", "there is no run yet", hint='signet run assistant "Say hello"')
    return name


def _only(names: list[str], given: str, noun: str = "session", listing: str = "signet session list") -> str:
    from signet.kit.errors import NotFound

    if given == "last" and names:
        return names[0]
    wanted = given.removeprefix(f"{noun}s/")
    found = [name for name in names if wanted and ident(name).startswith(wanted)]
    if len(found) == 1:
        return found[0]
    many = f"{len(found)} {noun}s begin" if found else f"no {noun} begins"
    raise NotFound(f"{noun.upper()}_NOT_FOUND", f"{many} with {given!r}", hint=listing)

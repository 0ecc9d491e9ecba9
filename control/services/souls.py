"""SoulService: the souls that agents may have."""

from control import canonical
from control.library import Library, Shelf
from signet.kit.names import parse_slug
from signet.kit.paging import Page
from signet.v1 import souls_pb2, souls_pb2_grpc


class SoulService(souls_pb2_grpc.SoulServiceServicer):
    """Serves souls, as their files are now."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def ListSouls(self, request: souls_pb2.ListSoulsRequest, _context: object) -> souls_pb2.ListSoulsResponse:
        """Give a page of souls."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = [shelf for shelf in await self._library.every() if shelf.slug > after]
        shown = found[: page.size]
        more = page.token(shown[-1].slug) if len(found) > page.size else ""
        return souls_pb2.ListSoulsResponse(souls=map(_soul, shown), next_page_token=more)

    async def GetSoul(self, request: souls_pb2.GetSoulRequest, _context: object) -> souls_pb2.GetSoulResponse:
        """Give a soul whole."""
        return souls_pb2.GetSoulResponse(soul=_soul(await self._library.get(parse_slug("souls", request.name))))


def _soul(shelf: Shelf) -> souls_pb2.Soul:
    made = souls_pb2.Soul(
        name=f"souls/{shelf.slug}",
        origin=souls_pb2.SOUL_ORIGIN_USER if shelf.own else souls_pb2.SOUL_ORIGIN_CATALOG,
        problems=shelf.problems,
    )
    soul = shelf.soul
    if soul is not None:
        made.title = soul.title
        made.description = soul.description
        made.category = soul.category
        made.text = soul.text
        made.version = soul.version
        made.digest = canonical.digest(soul.canonical)
        made.toolsets.enforced.extend(soul.policy.enforced)
        made.toolsets.default_enabled.extend(soul.policy.default_enabled)
        made.toolsets.optional.extend(soul.policy.optional)
        made.toolsets.forbidden.extend(soul.policy.forbidden)
    return made

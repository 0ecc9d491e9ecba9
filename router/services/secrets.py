"""SecretService: values that policies lend. They go in and never come out here."""

from typing import Any

from router.secrets import Secrets
from router.store.secrets import Kept
from signet.kit.errors import ResourceExhausted, invalid
from signet.kit.names import SLUG, parse_slug
from signet.kit.paging import Page
from signet.kit.times import stamp
from signet.v1 import secrets_pb2 as pb
from signet.v1.secrets_pb2_grpc import SecretServiceServicer

_MAX_VALUE_BYTES = 64 << 10
_FORBIDDEN = frozenset("\0\r\n")


class SecretServer(SecretServiceServicer):
    """Answers from the store."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def PutSecret(self, request: pb.PutSecretRequest, context: Any) -> pb.PutSecretResponse:
        """Store a value, sealed."""
        check(request)
        ident = request.secret.name.removeprefix("secrets/")
        return pb.PutSecretResponse(secret=wire(await self._secrets.put(ident, request.secret.owner, request.value)))

    async def ListSecrets(self, request: pb.ListSecretsRequest, context: Any) -> pb.ListSecretsResponse:
        """Return secrets by name, a page at a time, without their values."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = await self._secrets.page(after, page.size + 1)
        token = page.token(found[page.size - 1].id) if len(found) > page.size else ""
        return pb.ListSecretsResponse(secrets=[wire(kept) for kept in found[: page.size]], next_page_token=token)

    async def DeleteSecret(self, request: pb.DeleteSecretRequest, context: Any) -> pb.DeleteSecretResponse:
        """Remove a secret at once."""
        await self._secrets.remove(parse_slug("secrets", request.name))
        return pb.DeleteSecretResponse()


def wire(kept: Kept) -> pb.Secret:
    """Put a secret on the wire, without its value."""
    return pb.Secret(
        name=f"secrets/{kept.id}",
        owner=kept.owner,
        create_time=stamp(kept.create_micros),
        update_time=stamp(kept.update_micros),
        use_time=stamp(kept.use_micros) if kept.use_micros is not None else None,
    )


def check(request: pb.PutSecretRequest) -> None:
    """Find everything that is wrong. Raises InvalidArgument and ResourceExhausted; the value is never quoted."""
    problems: list[tuple[str, str]] = []
    slug = "1-63 of a-z, 0-9 and -, beginning with a letter"
    if not _named("secrets", request.secret.name):
        problems.append(("secret.name", f"must be `secrets/{{secret}}`, {{secret}} {slug}"))
    if request.secret.owner and not _named("agents", request.secret.owner):
        problems.append(("secret.owner", f"must be empty or `agents/{{agent}}`, {{agent}} {slug}"))
    if not request.value or _FORBIDDEN & set(request.value):
        problems.append(("value", f"must be one line of 1 to {_MAX_VALUE_BYTES} bytes, without NUL"))
    if problems:
        raise invalid(*problems)
    if len(request.value.encode()) > _MAX_VALUE_BYTES:
        raise ResourceExhausted("LIMIT_REACHED", f"a value has at most {_MAX_VALUE_BYTES} bytes")


def _named(collection: str, name: str) -> bool:
    prefix, _, ident = name.partition("/")
    return prefix == collection and bool(SLUG.fullmatch(ident))

"""SecretService: values that policies lend. They go in and never come out here."""

from typing import Any

from router.given import MAX_VALUE_BYTES, value_trouble
from router.owners import trouble
from router.rotation import Standing
from router.secrets import Secrets
from router.store.secrets import Kept
from signet.kit.errors import ResourceExhausted, invalid
from signet.kit.names import SLUG, parse_slug
from signet.kit.paging import Page
from signet.kit.times import stamp
from signet.v1 import secrets_pb2 as pb
from signet.v1.secrets_pb2_grpc import SecretServiceServicer


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
        """Return secrets by name and owner, a page at a time, without their values."""
        page = Page.parse(request)
        after = (str(page.position[0]), str(page.position[1])) if page.position else ("", "")
        found = await self._secrets.page(after, page.size + 1)
        last = found[page.size - 1] if len(found) > page.size else None
        token = page.token(last.id, last.owner) if last else ""
        return pb.ListSecretsResponse(secrets=[wire(kept) for kept in found[: page.size]], next_page_token=token)

    async def DeleteSecret(self, request: pb.DeleteSecretRequest, context: Any) -> pb.DeleteSecretResponse:
        """Remove a secret at once."""
        ident = parse_slug("secrets", request.name)
        if why := trouble(request.owner):
            raise invalid(("owner", why))
        await self._secrets.remove(ident, request.owner)
        return pb.DeleteSecretResponse()

    async def GetVault(self, request: pb.GetVaultRequest, context: Any) -> pb.GetVaultResponse:
        """Say how the vault's key stands."""
        return pb.GetVaultResponse(vault=vault(await self._secrets.vault()))

    async def RotateVaultKey(self, request: pb.RotateVaultKeyRequest, context: Any) -> pb.RotateVaultKeyResponse:
        """Seal everything with a new key."""
        return pb.RotateVaultKeyResponse(vault=vault(await self._secrets.rotate()))


def vault(standing: Standing) -> pb.Vault:
    """Put the vault's state on the wire."""
    keys = [pb.VaultKey(id=ident, values=values) for ident, values in standing.keys]
    return pb.Vault(keys=keys, unknown=standing.unknown, problem=standing.problem)


def wire(kept: Kept) -> pb.Secret:
    """Put a secret on the wire, without its value."""
    return pb.Secret(
        name=f"secrets/{kept.id}",
        owner=kept.owner,
        create_time=stamp(kept.create_micros),
        update_time=stamp(kept.update_micros),
        use_time=stamp(kept.use_micros) if kept.use_micros is not None else None,
        origin=f"SECRET_ORIGIN_{kept.origin}",
    )


def check(request: pb.PutSecretRequest) -> None:
    """Find everything that is wrong. Raises InvalidArgument and ResourceExhausted; the value is never quoted."""
    problems: list[tuple[str, str]] = []
    slug = "1-63 of a-z, 0-9 and -, beginning with a letter"
    if not _named("secrets", request.secret.name):
        problems.append(("secret.name", f"must be `secrets/{{secret}}`, {{secret}} {slug}"))
    if why := trouble(request.secret.owner):
        problems.append(("secret.owner", why))
    size = len(request.value.encode())
    if size <= MAX_VALUE_BYTES and (why := value_trouble(request.value)):
        problems.append(("value", why))
    if problems:
        raise invalid(*problems)
    if size > MAX_VALUE_BYTES:
        raise ResourceExhausted("LIMIT_REACHED", f"a value has at most {MAX_VALUE_BYTES} bytes")


def _named(collection: str, name: str) -> bool:
    prefix, _, ident = name.partition("/")
    return prefix == collection and bool(SLUG.fullmatch(ident))

"""Secrets that policies lend: put in by people, sealed, and given to sidecars whose token names them, nobody else."""

from router.authorise import Identity
from router.refusal import Refusal
from router.store.secrets import Kept, SecretStore
from router.vault import Vault, VaultError
from signet.kit.errors import NotFound, PermissionDenied, SignetError
from signet.kit.log import Log
from signet.kit.times import now_micros


class Secrets:
    """Values go in by `put` and come out by `lend` alone. No error and no line of the log holds one."""

    def __init__(self, store: SecretStore, vault: Vault, log: Log) -> None:
        self._store = store
        self._vault = vault
        self._log = log

    async def put(self, ident: str, owner: str, value: str) -> Kept:
        """Store a value, over an earlier one. `owner` is `agents/{agent}` or empty. Raises ResourceExhausted."""
        return await self._store.put(ident, owner, self._vault.seal_secret(ident, owner, value), now_micros())

    async def page(self, after: str, limit: int) -> list[Kept]:
        """Give secrets without their values by name, those after one name."""
        return await self._store.page(after, limit)

    async def remove(self, ident: str) -> None:
        """Forget a secret at once. Raises NotFound."""
        await self._store.remove(ident)

    async def lend(self, ident: str, who: Identity) -> str:
        """Give a value to who may have it: the bearer of a token that names it, for its owner. Raises Refusal."""
        if ident not in who.secrets:
            raise Refusal(403, "secret_not_allowed", f"this token does not name the secret {ident[:63]!r}")
        try:
            owner, sealed = await self._store.use(ident, who.agent, now_micros())
            value = self._vault.open_secret(ident, owner, sealed)
        except NotFound as error:
            raise Refusal(404, "secret_not_found", error.message) from error
        except PermissionDenied as error:
            raise Refusal(403, "secret_not_allowed", error.message) from error
        except VaultError as error:
            raise Refusal(503, "secret_unavailable", str(error)) from error
        except SignetError as error:
            raise Refusal(503, "secret_unavailable", error.message, retry_after_seconds=2) from error
        self._log.info("secret_lent", secret=ident, agent=who.agent)
        return value

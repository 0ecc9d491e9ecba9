"""Secrets that policies lend: put in by people, sealed, and given to sidecars whose token names them, nobody else."""

from collections.abc import Iterable
from dataclasses import replace

from router.authorise import Identity
from router.given import Given
from router.owners import nearest, owners
from router.refusal import Refusal
from router.rotation import Rotation, Standing
from router.store.secrets import Kept, SecretStore
from router.vault import Vault, VaultError
from signet.kit.errors import FailedPrecondition, NotFound, SignetError, near
from signet.kit.log import Log
from signet.kit.times import now_micros


class Secrets:
    """Values go in by `put`, or are given at start, and come out by `lend` alone. No error or log line holds one.

    Of two of one name and owner the given one wins.
    """

    def __init__(
        self, store: SecretStore, vault: Vault, rotation: Rotation, log: Log, given: Iterable[Given] = ()
    ) -> None:
        self._store = store
        self._vault = vault
        self._rotation = rotation
        self._log = log
        now = now_micros()
        self._given = {(one.id, one.owner): one for one in given}
        self._shown = {key: Kept(*key, now, now, None, one.origin) for key, one in self._given.items()}

    async def put(self, ident: str, owner: str, value: str) -> Kept:
        """Store a value, over an earlier one of that name and owner, which is as `owners` has it.

        Raises ResourceExhausted, FailedPrecondition.
        """
        self._check_stored(ident, owner)
        if self._vault.problem:
            await self._rotation.standing()  # it may be mended
        sealed = self._vault.seal_secret(ident, owner, value)
        return await self._store.put(ident, owner, sealed, now_micros())

    async def page(self, after: tuple[str, str], limit: int) -> list[Kept]:
        """Give secrets without their values by name and owner, those after one."""
        stored = [kept for kept in await self._store.page(after, limit) if (kept.id, kept.owner) not in self._given]
        given = [kept for key, kept in self._shown.items() if key > after]
        return sorted([*stored, *given], key=lambda kept: (kept.id, kept.owner))[:limit]

    async def check(self, ident: str) -> None:
        """See that somebody has a secret of that name. Raises NotFound."""
        if any(name == ident for name, _ in self._given) or await self._store.sealed(ident):
            return
        names = {kept.id for kept in await self.page(("", ""), _PAGE)}
        message = f"there is no secret {ident}.{near(ident, names)}"
        raise NotFound("SECRET_NOT_FOUND", message, hint=f"signet secret put {ident}")

    async def remove(self, ident: str, owner: str) -> None:
        """Forget a secret at once. Raises NotFound, FailedPrecondition."""
        self._check_stored(ident, owner)
        await self._store.remove(ident, owner)

    async def vault(self) -> Standing:
        """Say how the vault's key stands."""
        return await self._rotation.standing()

    async def rotate(self) -> Standing:
        """Seal everything with a new key. Raises SignetError."""
        return await self._rotation.rotate()

    async def learn(self) -> None:
        """Open every stored value once, so that all are known to those who redact. What does not open is passed by."""
        after = ("", "")
        while found := await self._store.page(after, _PAGE):
            for name in dict.fromkeys(kept.id for kept in found):
                for owner, sealed in (await self._store.sealed(name)).items():
                    try:
                        self._vault.open_secret(name, owner, sealed)
                    except VaultError:
                        self._log.warning("secret_not_opened", secret=name, owner=owner)
            after = (found[-1].id, found[-1].owner)

    async def lend(self, ident: str, who: Identity) -> str:
        """Give a value to who may have it: the bearer of a token that names it. Raises Refusal.

        Of those of one name it is the agent's, else that of the user who asked for the run, else everybody's.
        """
        if ident not in who.secrets:
            raise Refusal(403, "secret_not_allowed", f"this token does not name the secret {ident[:63]!r}")
        try:
            owner, value = await self._value(ident, who)
        except NotFound as error:
            raise Refusal(404, "secret_not_found", error.message) from error
        except VaultError as error:
            raise Refusal(503, "secret_unavailable", error.message) from error
        except SignetError as error:
            raise Refusal(503, "secret_unavailable", error.message, retry_after_seconds=2) from error
        self._log.info("secret_lent", secret=ident, owner=owner, agent=who.agent, run=who.run)
        return value

    async def _value(self, ident: str, who: Identity) -> tuple[str, str]:
        sealed: dict[str, bytes | Given] = {**await self._store.sealed(ident)}
        sealed |= {owner: one for (name, owner), one in self._given.items() if name == ident}
        found = nearest(who, sealed)
        if found is None:
            if sealed:
                whose = " or ".join(filter(None, owners(who))) or "everybody"
                raise Refusal(403, "secret_not_allowed", f"the secret {ident} is another's, not that of {whose}")
            raise NotFound("SECRET_NOT_FOUND", f"there is no secret {ident}", hint="signet secret put")
        owner, value = found
        now = now_micros()
        if isinstance(value, Given):
            self._shown[ident, owner] = replace(self._shown[ident, owner], use_micros=now)
            return owner, value.value
        opened = self._vault.open_secret(ident, owner, value)
        await self._store.used(ident, owner, now)
        return owner, opened

    def _check_stored(self, ident: str, owner: str) -> None:
        one = self._given.get((ident, owner))
        if one is not None:
            where = "its environment" if one.origin == "ENVIRONMENT" else "a file"
            message = f"the router has the secret {ident} from {where}: change it there, and start the router again"
            raise FailedPrecondition("BUILT_IN", message, hint="signet secret list")


_PAGE = 500

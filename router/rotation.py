"""Looks after the vault's key: makes it, changes it, and sees that none is lost that a value still needs."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass

from router.keys import KEY_BYTES, MAX_KEYS, Key, KeyFile
from router.store.sealed import Sealed, SealedStore
from router.vault import Vault, VaultError
from signet.kit.errors import SignetError
from signet.kit.log import Log

GRACE_SECONDS = 30.0
"""How long a key stays after the next one was made: what it sealed just before may not be stored yet."""

_MISSING = (
    "keys/vault.key is missing, and {count} values are sealed with it: restore it from a backup and start the router "
    "again, or delete the secrets and providers whose values are lost, and put them again"
)
_OTHER = (
    "keys/vault.key is not the key of {count} values, {first} among them: restore the right one from a backup and "
    "start the router again, or delete those secrets and providers, and put them again"
)


@dataclass(frozen=True)
class Standing:
    """The keys and how many values each has sealed, the one that seals first; what opens with none; why it is shut."""

    keys: tuple[tuple[str, int], ...]
    unknown: int
    problem: str


class Rotation:
    """The vault's key through its life.

    A new key is durable in the file before the first value is sealed with it, and all values are sealed anew in one
    transaction. So at any moment the file holds every key that some value needs, whenever the router is killed.
    """

    def __init__(
        self, vault: Vault, file: KeyFile, store: SealedStore, log: Log, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self._vault = vault
        self._file = file
        self._store = store
        self._log = log
        self._grace_seconds = grace_seconds
        self._changing = asyncio.Lock()
        self._removal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See that the key is there and is the right one, before anything is opened; a new router gets one.

        Where it is missing or another one the router starts all the same, and seals nothing: what does open is used.
        """
        self._judge(await self._store.all())
        if self._vault.problem:
            self._log.error("vault_shut", message=self._vault.problem)
        elif len(self._vault.keys) > 1:
            await self._remove_old()  # nobody has sealed anything yet, so there is no grace to wait for

    async def aclose(self) -> None:
        """End. An old key that is still there is removed at the next start."""
        if self._removal is not None:
            self._removal.cancel()
            await asyncio.wait([self._removal])

    async def standing(self) -> Standing:
        """Say how it stands. A vault that was shut is open from now on, if what it could not open was deleted."""
        found = await self._store.all()
        self._judge(found)
        count = self._count(found)
        keys = tuple((key.id.hex(), count[key]) for key in self._vault.keys)
        return Standing(keys, count[None], self._vault.problem)

    async def rotate(self) -> Standing:
        """Make a new key and seal everything with it. Raises VaultError, SignetError, OSError.

        Where that fails after the key was made, values are sealed anew when the ones before it are removed.
        """
        async with self._changing:
            self._judge(await self._store.all())
            if self._vault.problem:
                raise VaultError(self._vault.problem)
            await self._reseal()  # so that no value needs the oldest of too many keys
            before = b"".join(key.secret for key in self._vault.keys[: MAX_KEYS - 1])
            self._take(os.urandom(KEY_BYTES) + before)
            if self._removal is not None:
                self._removal.cancel()
            self._removal = asyncio.create_task(self._remove_later())
            count = await self._reseal()
            self._log.info("vault_key_rotated", key=self._vault.keys[0].id.hex(), values=count)
        return await self.standing()

    async def _remove_later(self) -> None:
        await asyncio.sleep(self._grace_seconds)
        async with self._changing:
            try:
                await self._remove_old()
            except (SignetError, OSError) as error:
                self._log.warning("vault_key_kept", kind=type(error).__name__)

    async def _remove_old(self) -> None:
        await self._reseal()
        self._take(self._vault.keys[0].secret)
        self._log.info("vault_key_removed")

    async def _reseal(self) -> int:
        """Seal what another key than the first has sealed. Raises VaultError, and changes nothing, if one is lost."""
        first = self._vault.keys[0]

        def again(sealed: Sealed) -> bytes:
            found = self._vault.sealer(sealed.bound, sealed.text)
            if found is None:
                raise VaultError(_OTHER.format(count=1, first=sealed.title))
            return sealed.text if found[0] == first else self._vault.close(sealed.bound, found[1])

        return await self._store.change(again)

    def _take(self, content: bytes) -> None:
        self._file.write(content)
        self._vault.take(content)

    def _judge(self, found: list[Sealed]) -> None:
        if not self._vault.keys:
            if not found:
                self._take(os.urandom(KEY_BYTES))
            self._vault.problem = _MISSING.format(count=len(found)) if found else ""
            return
        lost = [sealed for sealed in found if self._vault.sealer(sealed.bound, sealed.text) is None]
        self._vault.problem = _OTHER.format(count=len(lost), first=lost[0].title) if lost else ""

    def _count(self, found: list[Sealed]) -> Counter[Key | None]:
        keys = (self._vault.sealer(sealed.bound, sealed.text) for sealed in found)
        return Counter(key[0] if key else None for key in keys)

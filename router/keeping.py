"""What keeps secrets, put together: the vault and its key, the secrets, and what takes their values out of all else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from router.given import given
from router.keys import KeyFile
from router.redaction.redactor import Redactor
from router.rotation import Rotation
from router.secrets import Secrets
from router.store.database import AsyncEngine
from router.store.sealed import SealedStore
from router.store.secrets import SecretStore
from router.vault import Vault
from signet.kit.home import Home
from signet.kit.log import Log


@dataclass(frozen=True)
class Keeping:
    """`redactor` knows every value that `vault` seals or opens, and those that `secrets` was given; `log` uses it."""

    redactor: Redactor
    vault: Vault
    secrets: Secrets
    log: Log


@asynccontextmanager
async def keeping(
    home: Home, engine: AsyncEngine, environment: Mapping[str, str], folder: str, log: Log
) -> AsyncIterator[Keeping]:
    """Open the vault until the context is left. Raises StartError for a key or a given secret that cannot be used."""
    redactor = Redactor()
    log = replace(log, scrub=redactor.line)
    found = given(environment, folder)
    for one in found:
        redactor.know(one.value)
    file = KeyFile(home.keys / "vault.key")
    vault = Vault(file.read(), redactor.know, file.read)
    rotation = Rotation(vault, file, SealedStore(engine), log)
    secrets = Secrets(SecretStore(engine), vault, rotation, log, found)
    await rotation.start()
    await secrets.learn()
    try:
        yield Keeping(redactor, vault, secrets, log)
    finally:
        await rotation.aclose()

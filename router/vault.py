"""The vault: providers' keys and lent secrets, sealed before they are stored, opened only for what they are for."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from router.keys import Key, cut
from router.model import Spec
from signet.kit.errors import FailedPrecondition
from signet.kit.home import HomeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FIRST = b"\x01"  # version, nonce, text: from before keys had names
_VERSION = b"\x02"  # version, the key's name, nonce, text
_NONCE_BYTES = 12
_NAME_BYTES = 8


class VaultError(FailedPrecondition):
    """Raised for what does not open or cannot be sealed; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__("VAULT_SHUT", message, hint="signet vault status")


class Vault:
    """AES-256-GCM. The first of the keys seals, each opens what it has sealed.

    A sealed key is bound to its provider's id and address, a sealed secret to its name and owner, and both to the key's
    name: moved to another's row, neither opens. `content` is that of the key file; empty: nothing opens. `know` is told
    every value that is sealed or opened. `again` reads the key file anew: another router may have written it.
    """

    def __init__(
        self,
        content: bytes,
        know: Callable[[str], None] = lambda _: None,
        again: Callable[[], bytes] | None = None,
    ) -> None:
        self._know = know
        self._again = again
        self.problem = ""
        """Why nothing is to be sealed, and what to do; empty where it may be."""
        self.take(content)

    def __repr__(self) -> str:
        return "Vault()"

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys; the one that seals comes first."""
        return self._keys

    def take(self, content: bytes) -> None:
        """Go on with these keys. Raises ValueError for what are none."""
        self._keys = cut(content)

    def seal(self, spec: Spec, secret: str) -> bytes:
        """Close a provider's key. Raises VaultError."""
        return self.close(key_of(spec.id, spec.base_url), secret)

    def open(self, spec: Spec, sealed: bytes) -> str:
        """Give a provider's key. Raises VaultError for one sealed otherwise, or damaged."""
        return self.unclose(
            key_of(spec.id, spec.base_url),
            sealed,
            f"the key of provider {spec.id}",
            f"replace it (signet provider rekey {spec.id})",
        )

    def seal_secret(self, name: str, owner: str, value: str) -> bytes:
        """Close a secret's value in the same form. Raises VaultError."""
        return self.close(secret_of(name, owner), value)

    def open_secret(self, name: str, owner: str, sealed: bytes) -> str:
        """Give a secret's value. Raises VaultError for one sealed otherwise, or damaged."""
        return self.unclose(secret_of(name, owner), sealed, f"the secret {name}", "delete it and put it again")

    def close(self, bound: bytes, text: str) -> bytes:
        """Seal a text for what it is bound to. Raises VaultError where that is not to be done."""
        self._reread()  # another router may have made a key, and will remove the one before
        if self.problem or not self._keys:
            raise VaultError(self.problem or _MISSING)
        self._know(text)
        key = self._keys[0]
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _cipher(key.secret).encrypt(nonce, text.encode(), _named(bound, key))
        return _VERSION + key.id + nonce + sealed

    def unclose(self, bound: bytes, sealed: bytes, what: str, otherwise: str) -> str:
        """Open what is bound so. Raises VaultError, which says `what` it is and what to do `otherwise`."""
        found = self.sealer(bound, sealed)
        if found is None and self._reread():
            found = self.sealer(bound, sealed)
        if found is None:
            lost = (
                "does not open, for keys/vault.key is missing"
                if not self._keys
                else "does not open with keys/vault.key"
            )
            raise VaultError(f"{what} {lost}: restore that file from a backup, or {otherwise}")
        self._know(found[1])
        return found[1]

    def sealer(self, bound: bytes, sealed: bytes) -> tuple[Key, str] | None:
        """Give the key that sealed it, and the text; None where none of the keys opens it."""
        for key in self._keys:
            text = _opened(key, bound, sealed)
            if text is not None:
                return key, text
        return None

    def _reread(self) -> bool:
        if self._again is None:
            return False
        try:
            content = self._again()
        except HomeError as error:
            raise VaultError(str(error)) from error
        if not content or cut(content) == self._keys:
            return False
        self.take(content)
        return True


_MISSING = "keys/vault.key is missing: restore it from a backup"


def key_of(ident: str, base_url: str) -> bytes:
    """Say what a provider's key is bound to."""
    return f"signet provider key\n{ident}\n{base_url}".encode()


def secret_of(name: str, owner: str) -> bytes:
    """Say what a secret is bound to."""
    return f"signet secret\n{name}\n{owner}".encode()


def _opened(key: Key, bound: bytes, sealed: bytes) -> str | None:
    from cryptography.exceptions import InvalidTag

    rest = sealed[1:]
    if sealed[:1] == _VERSION:
        if rest[:_NAME_BYTES] != key.id:
            return None
        rest, bound = rest[_NAME_BYTES:], _named(bound, key)
    elif sealed[:1] != _FIRST:
        return None
    try:
        return _cipher(key.secret).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], bound).decode()
    except (InvalidTag, ValueError):
        return None


def _named(bound: bytes, key: Key) -> bytes:
    return b"%b\nkey %b" % (bound, key.id.hex().encode())


@lru_cache(maxsize=8)
def _cipher(secret: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(secret)

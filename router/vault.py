"""The vault: providers' keys and lent secrets, sealed before they are stored, opened only for what they are for."""

import os

from router.model import Spec

_VERSION = b"\x01"
_NONCE_BYTES = 12


class VaultError(Exception):
    """Raised for what does not open; the message says what to do."""


class Vault:
    """AES-256-GCM under one key of 32 bytes.

    A sealed key is bound to its provider's id and address, a sealed secret to its name and owner: moved to another's
    row, neither opens.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Vault()"

    def seal(self, spec: Spec, secret: str) -> bytes:
        """Close a provider's key: a version byte, a nonce, the sealed text."""
        return self._close(_key_of(spec), secret)

    def open(self, spec: Spec, sealed: bytes) -> str:
        """Give a provider's key. Raises VaultError for one sealed otherwise, or damaged."""
        return self._open(
            _key_of(spec), sealed, f"the key of provider {spec.id}", "delete the provider and add it again"
        )

    def seal_secret(self, name: str, owner: str, value: str) -> bytes:
        """Close a secret's value in the same form."""
        return self._close(_secret_of(name, owner), value)

    def open_secret(self, name: str, owner: str, sealed: bytes) -> str:
        """Give a secret's value. Raises VaultError for one sealed otherwise, or damaged."""
        return self._open(_secret_of(name, owner), sealed, f"the secret {name}", "put it again")

    def _close(self, bound: bytes, text: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self._key).encrypt(nonce, text.encode(), bound)

    def _open(self, bound: bytes, sealed: bytes, what: str, otherwise: str) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        shut = f"{what} does not open with keys/vault.key: restore that file from a backup, or {otherwise}"
        if sealed[:1] != _VERSION:
            raise VaultError(shut)
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self._key).decrypt(nonce, text, bound).decode()
        except (InvalidTag, ValueError) as error:
            raise VaultError(shut) from error


def _key_of(spec: Spec) -> bytes:
    return f"signet provider key\n{spec.id}\n{spec.base_url}".encode()


def _secret_of(name: str, owner: str) -> bytes:
    return f"signet secret\n{name}\n{owner}".encode()

"""The vault: providers' keys, sealed before they are stored, opened only to be sent to the provider they are for."""

import os

from router.model import Spec

_VERSION = b"\x01"
_NONCE_BYTES = 12


class VaultError(Exception):
    """Raised for a key that does not open; the message says what to do."""


class Vault:
    """AES-256-GCM under one key of 32 bytes. A sealed key is bound to its provider's id and address."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Vault()"

    def seal(self, spec: Spec, secret: str) -> bytes:
        """Close a provider's key: a version byte, a nonce, the sealed text."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self._key).encrypt(nonce, secret.encode(), _bound_to(spec))

    def open(self, spec: Spec, sealed: bytes) -> str:
        """Give a provider's key. Raises VaultError for one sealed otherwise, or damaged."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if sealed[:1] != _VERSION:
            raise _shut(spec)
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self._key).decrypt(nonce, text, _bound_to(spec)).decode()
        except (InvalidTag, ValueError) as error:
            raise _shut(spec) from error


def _shut(spec: Spec) -> VaultError:
    return VaultError(
        f"the key of provider {spec.id} does not open with keys/vault.key: restore that file from a backup, or "
        "delete the provider and add it again"
    )


def _bound_to(spec: Spec) -> bytes:
    return f"signet provider key\n{spec.id}\n{spec.base_url}".encode()

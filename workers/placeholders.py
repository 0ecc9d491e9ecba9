"""What stands for a secret within a sandbox: a text of no worth elsewhere, which the way out swaps for the real one."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from signet.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Placeholders:
    """One sandbox's: `signet:secret:<name>:<32 hex>`, for a name the same as long as there is the sandbox.

    `seed` is 32 random bytes; keep it where the sandbox outlives this process.
    """

    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def text(self, name: str) -> str:
        """Give the placeholder of a policy's use of a secret, by the name of the use."""
        return f"signet:secret:{name}:{hmac.new(self.seed, name.encode(), hashlib.sha256).hexdigest()[:32]}"

    def texts(self, policy: Policy) -> Mapping[str, str]:
        """Give the placeholders of a policy by the name of their use, for the way out."""
        return {use.name: self.text(use.name) for use in policy.secrets}

    def env(self, policy: Policy) -> Mapping[str, str]:
        """Give what a policy wants to stand in the environment of processes inside."""
        return {use.env: self.text(use.name) for use in policy.secrets}

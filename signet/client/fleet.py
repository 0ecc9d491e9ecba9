"""Where a fleet is and who calls it: said by the caller, by the environment, or found in the local data folder."""

import os
import socket
from dataclasses import dataclass, replace

from signet.kit.errors import PermissionDenied
from signet.kit.home import Home


@dataclass(frozen=True)
class Fleet:
    """Addresses as gRPC dials them (`unix:/path` or `host:port`) and the caller's token.

    An empty `router` means that nobody said where it is. `local` says that the fleet is the one of `home`.
    """

    control: str
    router: str
    token: str
    home: Home
    local: bool

    @classmethod
    def find(
        cls, data: str | None = None, control: str | None = None, router: str | None = None, token: str | None = None
    ) -> "Fleet":
        """Choose: the argument, else SIGNET_CONTROL, SIGNET_ROUTER and SIGNET_TOKEN, else the local data folder.

        The operator's token in the data folder is used for the fleet of that folder only: it is never sent elsewhere.
        An empty `token` is nobody's.
        Raises PermissionDenied where the data folder is somebody else's.
        """
        home = Home.find(data)
        remote = "" if data else os.environ.get("SIGNET_CONTROL", "")
        said = control or remote
        there = router or ("" if data else os.environ.get("SIGNET_ROUTER", ""))
        secret = os.environ.get("SIGNET_TOKEN", "") if token is None else token
        if said:
            return cls(said, there, secret, home, local=False)
        return cls(
            home.target("control.sock"),
            there or home.target("router.sock"),
            _operator(home) if token is None and not secret else secret,
            home,
            local=True,
        )

    def acting_as(self, token: str) -> "Fleet":
        """Give the same fleet for another caller."""
        return replace(self, token=token)

    def supervised(self) -> bool:
        """Tell whether `signet up` runs here, so that what is away is about to come back."""
        if not self.local:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.home.socket("up.sock")))
            except OSError:
                return False
        return True


def _operator(home: Home) -> str:
    path = home.tokens / "operator"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except PermissionError as error:
        raise PermissionDenied(
            "TOKEN_MISSING",
            f"{path} is not yours to read",
            hint="call as the owner of the data folder, or set SIGNET_TOKEN",
        ) from error

"""The connection to where a passage leads: used for one request after another, opened anew to the same address."""

import asyncio
import socket
import ssl

from workers.sidecars.egress import dial
from workers.sidecars.egress.denial import Denied, Gone
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.passage import Passage
from workers.sidecars.egress.trust import Trust
from workers.sidecars.egress.wire import Plain, Secure, Wire


class Upstream:
    """`sock` is connected already. `used` tells that a request went over it before."""

    def __init__(self, passage: Passage, sock: socket.socket, limits: Limits) -> None:
        self.used = False
        self.plain: Plain | None = Plain(sock)
        self._passage, self._limits = passage, limits
        self._trust: Trust | None = None
        self._wire: Wire | None = None

    def secure(self, trust: Trust) -> None:
        """Speak TLS from now on, and verify the host by its name."""
        self._trust = trust

    async def wire(self) -> Wire:
        """Give it, ready for a request. Raises Denied."""
        if self._wire is None:
            if self.plain is None:
                sock, _ = await dial.connect(self._passage.target, [self._passage.address], self._limits)
                self.plain = Plain(sock)
            self._wire = await self._secured(self.plain, self._trust) if self._trust else self.plain
        return self._wire

    def drop(self) -> None:
        """Close it; the next request has another."""
        if self.plain:
            self.plain.close()
        self.plain = self._wire = None
        self.used = False

    async def _secured(self, plain: Plain, trust: Trust) -> Wire:
        target = self._passage.target
        try:
            wire = Secure(plain, trust.outside(), hostname=target.host)
            async with asyncio.timeout(self._limits.handshake_seconds):
                await wire.handshake()
        except ssl.SSLCertVerificationError as error:
            why = f"the certificate of {target} is not good: {error.verify_message}"
            raise Denied(502, "certificate", why, host=target.host, port=target.port) from error
        except (OSError, Gone, TimeoutError) as error:
            why = f"{target} did not shake hands for TLS"
            raise Denied(502, "handshake", why, host=target.host, port=target.port) from error
        return wire

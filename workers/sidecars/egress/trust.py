"""The two TLS sides of a connection that is looked into: ours within the sandbox, and the upstream, verified."""

import os
import ssl
from collections import OrderedDict

from workers.sidecars.egress.channel import Channel, Lost
from workers.sidecars.egress.denial import Gone

CONTEXTS = 64
"""Hosts whose certificate is kept ready; the one that was longest not asked for goes first."""
_PROTOCOLS = ["http/1.1"]


class Trust:
    """`roots` is a file of certificates that upstreams are verified with, "" the system's."""

    def __init__(self, channel: Channel, roots: str) -> None:
        self._channel = channel
        self._roots = roots
        self._inside: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._outside: ssl.SSLContext | None = None

    async def inside(self, host: str) -> ssl.SSLContext:
        """Give what to be a host with towards the sandbox. Raises Gone where no certificate can be had."""
        context = self._inside.get(host)
        if context is None:
            try:
                leaf = (await self._channel.ask("leaf", {"host": host})).fields
            except Lost as error:
                raise Gone("no certificate") from error
            if "problem" in leaf:
                raise Gone(leaf["problem"])
            context = self._inside[host] = _server(leaf["certificate"], leaf["key"])
        self._inside.move_to_end(host)
        if len(self._inside) > CONTEXTS:
            self._inside.popitem(last=False)
        return context

    def outside(self) -> ssl.SSLContext:
        """Give what to verify upstreams with, names included. Raises OSError where the roots cannot be read."""
        if self._outside is None:
            self._outside = ssl.create_default_context(cafile=self._roots or None)
            self._outside.set_alpn_protocols(_PROTOCOLS)
        return self._outside


def _server(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_PROTOCOLS)
    memory = os.memfd_create("leaf", os.MFD_CLOEXEC)  # Python loads certificates from files alone
    try:
        os.write(memory, (certificate + key).encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context

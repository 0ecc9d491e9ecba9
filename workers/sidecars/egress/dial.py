"""Names are resolved here, outside, once; what was resolved and let through is what is connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

from workers.sidecars.egress.denial import Denied
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.target import Target

ADDRESSES = 8
"""Of one name at most; more are not tried."""

Lookup = Callable[[str], Awaitable[list[str]]]


async def system(host: str) -> list[str]:
    """Ask the host's resolver for the addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def resolve(target: Target, lookup: Lookup, limits: Limits) -> list[str]:
    """Give the addresses of a target, the same once. Raises Denied where it has none."""
    if target.literal:
        return [target.host]
    try:
        async with asyncio.timeout(limits.dial_seconds):
            found = await lookup(target.host)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise Denied(
            502, "name_not_found", f"{target.host} could not be resolved", host=target.host, port=target.port
        ) from error
    return list(dict.fromkeys(found))[:ADDRESSES]


async def connect(target: Target, addresses: Iterable[str], limits: Limits) -> tuple[socket.socket, str]:
    """Connect to the first of these addresses that answers, and say which. Raises Denied."""
    loop = asyncio.get_running_loop()
    why = "it has no address"
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(limits.dial_seconds):
                await loop.sock_connect(sock, (address, target.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, TimeoutError) as error:
            sock.close()
            why = str(error) or "no answer in time"
        except BaseException:
            sock.close()
            raise
        else:
            return sock, address
    raise Denied(502, "unreachable", f"{target} could not be reached: {why}", host=target.host, port=target.port)

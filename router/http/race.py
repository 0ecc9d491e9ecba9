"""Addresses tried one beside the other, each a little later than the one before (RFC 8305): the first one wins."""

import asyncio
import socket
from collections import deque

from router.http.resolve import Address

_STAGGER_SECONDS = 0.25


async def first(addresses: list[Address]) -> socket.socket:
    """Give a connected socket. Raises the last OSError where no address takes a connection."""
    if len(addresses) == 1:
        return await _connect(addresses[0])
    waiting = deque(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    winner: socket.socket | None = None
    failure: BaseException = OSError("no address")
    try:
        while winner is None and (waiting or running):
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.popleft())))
            done, _ = await asyncio.wait(
                running, timeout=_STAGGER_SECONDS if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is not None:
                    running.discard(task)
                    failure = error
                elif winner is None:
                    running.discard(task)
                    winner = task.result()
    finally:
        _hang_up(running)
    if winner is None:
        raise failure
    return winner


def _hang_up(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.add_done_callback(_close)
        task.cancel()


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect(address: Address) -> socket.socket:
    opened = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(opened, address.name)
    except BaseException:
        opened.close()
        raise
    return opened

"""The router's HTTP client: what a call to a provider needs and no more, for it is most of what a call costs."""

import ssl
from collections.abc import Callable, Mapping

from router.http.connection import Connection, Stale
from router.http.dial import Dialler
from router.http.endpoint import Endpoint, Place, environment_proxies, place
from router.http.exchange import Exchange
from router.http.limits import Limits
from router.http.pool import Lost, Make, Pool
from router.http.request import method, written
from router.wire import Answer, Fault, Request, Target, WireError

_PLACES = 1024
_POOLS = 64  # above so many, pools with no connection are forgotten
_HARMLESS = ("GET", "HEAD")


class Client:
    """HTTP/1.1 over kept connections: no cookies, no redirects, no caches, answers as they were sent.

    `proxies` by scheme, with `no` for exceptions, default the environment's; this machine is never asked through one.
    `tls` replaces the system's certificates. It belongs to the event loop that runs when it is first used. A request
    is sent twice only where a kept connection turned out to be closed and no answer began, and then only if it changes
    nothing (GET, HEAD) or the kernel had not taken the whole of it, so that no server can have begun to serve it: what
    was taken may have been charged.
    """

    def __init__(
        self, limits: Limits, *, proxies: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._limits = limits
        self._proxies = environment_proxies() if proxies is None else proxies
        self._dialler = Dialler(connect_seconds=limits.connect_seconds, tls=tls)
        self._places: dict[tuple[str, str], Place] = {}
        self._pools: dict[Endpoint, Pool] = {}

    async def open(self, target: Target, request: Request) -> Answer:
        """Send a request and wait for its answer's head. Raises WireError. Cancelling closes the connection at once."""
        where = self._place(target)
        data = written(where, target, request)
        pool = self._pool(where.endpoint)
        verb = method(request)
        for again in (False, True):
            connection = await pool.take(fresh=again)
            try:
                exchange = await connection.ask(data, bodiless=verb == "HEAD", again=verb in _HARMLESS)
            except BaseException as error:
                connection.abort()
                if isinstance(error, Stale) and not again:
                    continue
                if isinstance(error, Stale):
                    break
                raise
            return _Answer(pool, connection, exchange)
        raise WireError(Fault.UNREACHABLE, "it closed two connections before it took the request")

    async def aclose(self) -> None:
        """Close every connection; calls that are under way break off."""
        for pool in self._pools.values():
            pool.aclose()
        await self._dialler.aclose()

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Connections that are open, and those of them that are idle, by authority or socket."""
        return {where.socket or where.authority: pool.size for where, pool in self._pools.items()}

    def _place(self, target: Target) -> Place:
        key = (target.base_url, target.socket)
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= _PLACES:
                self._places.clear()
            found = self._places[key] = place(target.base_url, target.socket, self._proxies)
        return found

    def _pool(self, endpoint: Endpoint) -> Pool:
        pool = self._pools.get(endpoint)
        if pool is None:
            if len(self._pools) >= _POOLS:
                self._pools = {where: each for where, each in self._pools.items() if not each.empty}
            pool = self._pools[endpoint] = Pool(self._maker(endpoint), self._limits)
        return pool

    def _maker(self, endpoint: Endpoint) -> Make:
        tls = not endpoint.socket and (endpoint.tls or (endpoint.proxy is not None and endpoint.proxy.tls))

        async def make(lost: Lost) -> Connection:
            return await self._dialler.dial(
                endpoint, lambda: Connection(lost, tls=tls, write_seconds=self._limits.write_seconds)
            )

        return make


class _Answer:
    """An answer on its connection, which it gives back when it is closed."""

    __slots__ = ("_connection", "_exchange", "_open", "_pool")

    def __init__(self, pool: Pool, connection: Connection, exchange: Exchange) -> None:
        self._pool = pool
        self._connection = connection
        self._exchange = exchange
        self._open = True

    @property
    def status(self) -> int:
        return self._exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._exchange.headers or {}

    async def read(self) -> bytes:
        return await self._connection.read(self._exchange)

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        await self._connection.flow(self._exchange, take)

    async def aclose(self) -> None:
        if self._open:  # it never waits, so that nothing can cancel it halfway
            self._open = False
            self._pool.give(self._connection, self._exchange.headers)

"""Where connections lead: what two calls must share to share a connection, and which proxy is on the way."""

import ipaddress
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from router.wire import Fault, WireError

_PORTS = {"http": 80, "https": 443}
_PATH = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True)
class Proxy:
    """A proxy on the way. `authorization` is the header that it wants, empty for none."""

    tls: bool
    host: str
    port: int
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True)
class Endpoint:
    """A server to connect to. `socket` is a unix socket dialled instead of its host."""

    tls: bool
    host: str
    port: int
    socket: str = ""
    proxy: Proxy | None = None

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them: the port only where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    @property
    def whole(self) -> str:
        """Host and port as CONNECT has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def forwarded(self) -> bool:
        """Whether its requests are told whole to a proxy, which is the way without TLS."""
        return self.proxy is not None and not self.tls


@dataclass(frozen=True)
class Place:
    """An endpoint and the path of a base address on it, ready to be written into a request."""

    endpoint: Endpoint
    prefix: str


def place(base_url: str, socket: str, proxies: Mapping[str, str]) -> Place:
    """Find where a base address leads. Raises WireError for one that cannot be dialled."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or _PORTS[parts.scheme]
        host = _host(parts.hostname or "")
    except (ValueError, KeyError) as error:
        raise WireError(Fault.UNREACHABLE, "the provider's address is none of http or https") from error
    tls = parts.scheme == "https"
    proxy = None if socket or _near(host) else _proxy(parts.scheme, host, port, proxies)
    endpoint = Endpoint(tls, host, port, socket, proxy)
    path = quote(parts.path, safe=_PATH)
    return Place(endpoint, f"http://{endpoint.authority}{path}" if endpoint.forwarded else path)


def environment_proxies() -> dict[str, str]:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, as most programs do."""
    return urllib.request.getproxies()


def _host(name: str) -> str:
    if not name:
        raise ValueError("no host")
    return name if name.isascii() else name.encode("idna").decode()


def _near(host: str) -> bool:
    """Whether a host is this machine, which no proxy can reach for us."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy(scheme: str, host: str, port: int, proxies: Mapping[str, str]) -> Proxy | None:
    url = proxies.get(scheme) or proxies.get("all")
    if not url or urllib.request.proxy_bypass_environment(f"{host}:{port}", dict(proxies)):  # type: ignore[attr-defined] # undocumented, and the standard library's own rule
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        name, number = _host(parts.hostname or ""), parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise WireError(Fault.UNREACHABLE, f"the environment's {scheme} proxy is none of http or https") from error
    return Proxy(parts.scheme == "https", name, number, _basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()

"""Who looks at a page: the secret of their token, in a cookie that no script can read and no other site can send."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from signet.kit.auth import TOKEN_PREFIX
from signet.kit.errors import Unauthenticated

_SECONDS = 30 * 24 * 3600
_LONGEST = 256


@dataclass(frozen=True)
class Cookie:
    """The cookie of one web process. Its name holds the port: browsers keep cookies of all ports together."""

    port: int
    secure: bool

    @property
    def name(self) -> str:
        """Name of the cookie."""
        return f"signet-{self.port}"

    def token(self, request: Request) -> str:
        """Give the secret of the visitor's token. Raises Unauthenticated where there is none."""
        secret = request.cookies.get(self.name, "")
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > _LONGEST or not secret.isascii():
            raise Unauthenticated("TOKEN_MISSING", "You are not signed in.", hint="signet sign-in")
        return secret

    def put(self, response: Response, secret: str) -> None:
        """Sign a browser in."""
        response.set_cookie(
            self.name, secret, max_age=_SECONDS, path="/", secure=self.secure, httponly=True, samesite="strict"
        )

    def drop(self, response: Response) -> None:
        """Sign a browser out."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="strict")

"""Signing in by a link that works once, and out."""

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signet.client import SignetError
from signet.kit.errors import ResourceExhausted, Unauthenticated
from web import form
from web.site import Site

_CODE_CHARACTERS = 256


async def show(site: Site, request: Request) -> Response:
    """Show a button. Opening the link uses nothing up: programs that look at links before people do would."""
    code = request.query_params.get("code", "")[:_CODE_CHARACTERS]
    return site.views.page("sign_in.html", title="Sign in", code=code, problem="")


async def exchange(site: Site, request: Request) -> Response:
    """Turn the code into a token and keep that in the browser's cookie."""
    code = (await form.read(request)).get("code", "")[:_CODE_CHARACTERS]
    try:
        answer = await site.client.acting_as("").tokens.exchange_sign_in_code(code)
    except (Unauthenticated, ResourceExhausted) as error:
        problem = "This link was used already, is over, or is not whole."
        if isinstance(error, ResourceExhausted):
            problem = error.message
        status = 429 if isinstance(error, ResourceExhausted) else 401
        return site.views.page("sign_in.html", status=status, title="Not signed in", code="", problem=problem)
    response = RedirectResponse("/", 303)
    site.cookie.put(response, answer.secret)
    return response


async def leave(site: Site, request: Request) -> Response:
    """Revoke the browser's token and forget it. A token that is over already is forgotten all the same."""
    response = RedirectResponse("/sign-in", 303)
    site.cookie.drop(response)
    with suppress(Unauthenticated):
        secret = site.cookie.token(request)
        tokens = site.client.acting_as(secret).tokens
        with suppress(SignetError):
            await tokens.revoke((await tokens.check(secret)).name)
    return response

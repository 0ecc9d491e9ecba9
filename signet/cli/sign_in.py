"""`signet sign-in`: a link that signs a browser in, once."""

from datetime import UTC
from urllib.parse import quote

import click

from signet.cli.call import Call, leaf

_USUAL = "http://127.0.0.1:7400/"


@leaf("sign-in")
@click.option("--url", metavar="URL", help="Address of the pages, where it is another than this machine's.")
def sign_in(call: Call, *, url: str | None) -> None:
    """Print a link that signs a browser in, once, within ten minutes."""
    from signet.cli.output import emit

    with call.signet() as signet:
        made = signet.tokens.create_sign_in_code()
        link = f"{(url or _pages(call)).rstrip('/')}/sign-in?code={quote(made.code)}"
    shape = {"link": link, "code": made.code, "expire_time": made.expire_time.ToJsonString()}
    emit(call, made, lambda _: link, name=link, shape=shape)
    until = made.expire_time.ToDatetime(UTC).astimezone().strftime("%H:%M:%S")
    call.say(f"open it in a browser before {until}; it works once")


def _pages(call: Call) -> str:
    """Give the address at which the fleet's own pages are."""
    from signet.kit.home import Home
    from signet.up.door import ask

    found = ask(Home.find(call.data).socket("up.sock"), "status")
    return str(found["addresses"].get("web", _USUAL)) if found else _USUAL

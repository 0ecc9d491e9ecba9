"""Templates: found, compiled and filled. Everything is escaped unless it was made safe by `markdown`."""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from web import egress, seal, words
from web.parts import pretty, summarize
from web.walls import walls

_HERE = Path(__file__).parent

STATIC = _HERE / "static"

PLACES = (
    ("/", "Chat", "chat"),
    ("/runs", "Runs", "runs"),
    ("/approvals", "Approvals", "approvals"),
    ("/agents", "Agents", "agents"),
    ("/policies", "Policies", "policies"),
    ("/sandboxes", "Sandboxes", "sandboxes"),
    ("/souls", "Souls", "souls"),
    ("/models", "Models", "models"),
    ("/workers", "Workers", "workers"),
)
"""The places of the navigation: path, label, icon."""


WAITING: ContextVar[int | None] = ContextVar("waiting", default=None)
"""How many questions wait, for the navigation of the page that is being made; None where that is not known."""


class Views:
    """The templates of the pages, and of the pieces that change while a run goes on."""

    def __init__(self) -> None:
        self.version = _version(STATIC)
        self.static = f"/static/{self.version}"
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            duration=words.duration,
            tokens=words.tokens,
            cost=words.cost,
            short=words.short,
            brief=words.brief,
            state=words.state,
            state_name=words.state_name,
            time=_time,
            layer=words.layer,
            took=words.took,
            oneline=words.oneline,
            summary=summarize,
            pretty=pretty,
            ticks=_ticks,
            asked=words.asked,
            approval_state=lambda state: words.APPROVAL_STATES.get(int(state), words.UNKNOWN),
            ago=words.ago,
            size=words.size,
            place=egress.place,
            program=egress.program,
        )
        icon = self._environment.get_template("_icons.html").module.icon  # type: ignore[attr-defined] # a macro
        self._environment.globals.update(
            static=self.static, places=PLACES, icon=icon, here="", seal=seal.seal, walls=walls
        )
        self._live = self._environment.get_template("_live.html").module

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Fill a template."""
        return HTMLResponse(self.text(template, values | {"status": status, "waiting": WAITING.get()}), status)

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        """Fill a template and give its text."""
        return self._environment.get_template(template).render(values)

    def asked(self, ask: Any) -> str:
        """Say what an agent asks for."""
        return words.asked(ask)

    def live(self, macro: str, *values: Any) -> str:
        """Draw one piece of `_live.html`."""
        return str(getattr(self._live, macro)(*values))


def wants_json(request: Request) -> bool:
    """Tell whether our own script asks, rather than a browser's form."""
    return request.headers.get("accept", "").startswith("application/json")


def _time(timestamp: Any) -> Markup:
    moment = words.moment(timestamp)
    if moment is None:
        return Markup("not yet")
    return Markup('<time datetime="{}">{}</time>').format(words.iso(moment), words.utc(moment))


def _ticks(text: str) -> Markup:
    """Show what stands between backticks in a message of ours as code; the rest stays text."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )


def _version(folder: Path) -> str:
    """Name the static files by their content: a browser keeps them for ever and never sees an old one."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]

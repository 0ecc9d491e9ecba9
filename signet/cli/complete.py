"""Completion of names from the fleet that runs; where none runs, of nothing."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from signet.cli.words import ident

if TYPE_CHECKING:
    from signet.client import Signet

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_SECONDS = 1.0
_MOST = 200


def _names(rows: "Callable[[Signet], Iterable[Any]]") -> Complete:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        del param
        from signet.client import Signet, SignetError

        data = ctx.params.get("data") or ctx.find_root().params.get("data")
        found: list[str] = []
        try:
            with Signet(data=data, timeout_seconds=_SECONDS, patience_seconds=0) as signet:
                for row in rows(signet):
                    if len(found) == _MOST:
                        break
                    if ident(row.name).startswith(incomplete):
                        found.append(ident(row.name))
        except SignetError:
            return found  # a key press is no place for an error
        return found

    return complete


AGENT = _names(lambda signet: signet.agents.list())
SOUL = _names(lambda signet: signet.souls.list())
MODEL = _names(lambda signet: signet.models.list())
PROVIDER = _names(lambda signet: signet.providers.list())
SESSION = _names(lambda signet: signet.sessions.list(page_size=50))
RUN = _names(lambda signet: signet.runs.list(page_size=50))
WORKER = _names(lambda signet: signet.workers.list())
POLICY = _names(lambda signet: signet.policies.list())
APPROVAL = _names(lambda signet: signet.approvals.list(states=["pending"]))
GRANT = _names(lambda signet: signet.grants.list())
SANDBOX = _names(lambda signet: signet.sandboxes.list())
SECRET = _names(lambda signet: signet.secrets.list())
TOKEN = _names(lambda signet: signet.tokens.list())
BUDGET = _names(lambda signet: signet.budgets.list())
API = _names(lambda signet: signet.apis.list())
ROUTE = _names(lambda signet: signet.routes.list())

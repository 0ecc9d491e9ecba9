"""`signet vault`: the key under which the router keeps secrets and providers' keys."""

from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun

if TYPE_CHECKING:
    from signet.v1.secrets_pb2 import Vault


@click.group("vault", cls=Noun)
def vault() -> None:
    """Look after the key under which the router keeps secrets and providers' keys."""


@vault.command("status")
@click.pass_obj
def status(call: Call) -> None:
    """Show which keys there are, and never a key.

    Beside each stands how many values it has sealed.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, signet.secrets.vault(), _shown)


@vault.command("rotate")
@click.pass_obj
def rotate(call: Call) -> None:
    """Make a new key and seal everything with it.

    Nothing is interrupted. The key before it is removed half a minute later. Back up keys/vault.key after it: older
    backups of the data folder open with the key in them alone.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, signet.secrets.rotate(), _shown)
    call.say("back up keys/vault.key of the data folder: without it nothing of this opens")


def _shown(vault: "Vault") -> str:
    from signet.cli.table import columns

    rows = [
        (key.id, "seals" if place == 0 else "is removed soon", str(key.values)) for place, key in enumerate(vault.keys)
    ]
    if vault.unknown:
        rows.append(("none of these", "", str(vault.unknown)))
    table = columns(("KEY", "", "VALUES"), rows, empty="no key")
    return f"{table}\n\n{vault.problem}" if vault.problem else table

"""`signet version`."""

import platform
from importlib.metadata import version as installed

import click

from signet.cli.call import Call, leaf


@leaf("version")
def version(call: Call) -> None:
    """Print the version of Signet, and with -o json of Python and this machine."""
    found = installed("signet")
    if call.output == "table":
        click.echo(f"signet {found}")
    elif call.output == "name":
        click.echo(found)
    else:
        from signet.cli.output import structured

        structured(call, {"signet": found, "python": platform.python_version(), "machine": platform.platform()})

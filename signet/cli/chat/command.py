"""`signet chat`: talk with an agent."""

import asyncio
import sys

import click

from signet.cli.call import Call, leaf
from signet.cli.complete import AGENT, MODEL, SESSION


@leaf("chat", epilog="In a pipe every line is a message: printf 'hi\\nand now?\\n' | signet chat assistant")
@click.argument("agent", default="assistant", shell_complete=AGENT)
@click.option("--session", default="", metavar="ID", shell_complete=SESSION, help="Go on with this one; or `last`.")
@click.option("--model", default="", metavar="MODEL", shell_complete=MODEL, help="Another model, for this talk only.")
def chat(call: Call, *, agent: str, session: str, model: str) -> None:
    """Talk with AGENT (assistant, if none is named).

    Enter sends, Alt-Enter or Esc Enter begins another line. Ctrl-C stops an answer, Ctrl-D leaves. /help says more.
    """
    from signet.cli.chat.talk import Talk

    sys.exit(asyncio.run(Talk.hold(call, agent, session, model)))

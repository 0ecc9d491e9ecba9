"""`signet`: parse, call the client, print. Commands are imported when they are called."""

import contextlib
import os
import sys
from collections.abc import Sequence

import click

from signet.cli import codes
from signet.cli.call import colorless, shared
from signet.cli.failure import Failure, debugging
from signet.cli.lazy import Entry, LazyGroup

_TALK, _FLEET, _BOUNDARY, _NOUNS, _REST, _PROCESSES = (
    "Talk to agents",
    "The fleet on this machine",
    "What agents may, and where they run",
    "What the fleet keeps",
    "More",
    "Processes, which `up` starts",
)

ENTRIES = {
    "run": Entry("signet.cli.run:run", "Run an agent once and show its answer.", _TALK),
    "chat": Entry("signet.cli.chat.command:chat", "Talk with an agent.", _TALK),
    "up": Entry("signet.up.commands:up", "Start everything on this machine.", _FLEET),
    "down": Entry("signet.up.commands:down", "Stop everything on this machine.", _FLEET),
    "status": Entry("signet.up.commands:status", "Show what runs.", _FLEET),
    "doctor": Entry("signet.up.commands:doctor", "Check what Signet needs and how to mend it.", _FLEET),
    "sign-in": Entry("signet.cli.sign_in:sign_in", "Print a link that signs a browser in, once.", _FLEET),
    "policy": Entry("signet.cli.policy.command:policy", "Policies: what agents may reach, run and use.", _BOUNDARY),
    "approvals": Entry("signet.cli.approvals:approvals", "What agents ask to be let through with.", _BOUNDARY),
    "approve": Entry("signet.cli.approvals:approve", "Let an agent through.", _BOUNDARY),
    "deny": Entry("signet.cli.approvals:deny", "Refuse it.", _BOUNDARY),
    "grant": Entry("signet.cli.grant:grant", "Grants: what was let through beyond the policies.", _BOUNDARY),
    "secret": Entry("signet.cli.secret:secret", "Secrets: values that policies lend to connections.", _BOUNDARY),
    "vault": Entry("signet.cli.vault:vault", "The key under which secrets are kept.", _BOUNDARY),
    "api": Entry("signet.cli.api:api", "APIs: HTTP services that agents call by the router.", _BOUNDARY),
    "sandbox": Entry("signet.cli.sandbox:sandbox", "Sandboxes: where agents run.", _BOUNDARY),
    "shell": Entry("signet.cli.shell.command:shell", "Work inside an agent's sandbox.", _BOUNDARY),
    "cp": Entry("signet.cli.copy.command:cp", "Copy files into a sandbox, or out of one.", _BOUNDARY),
    "agent": Entry("signet.cli.agent:agent", "Agents: named soul, tools, runtime, model and permissions.", _NOUNS),
    "soul": Entry("signet.cli.soul:soul", "Souls: personas and their tool policies.", _NOUNS),
    "session": Entry("signet.cli.session:session", "Sessions: conversations with agents.", _NOUNS),
    "runs": Entry("signet.cli.runs:runs", "Runs: what agents did, and its records.", _NOUNS),
    "model": Entry("signet.cli.model:model", "Models: what agents can think with.", _NOUNS),
    "provider": Entry("signet.cli.provider:provider", "Providers: endpoints that serve models.", _NOUNS),
    "route": Entry("signet.cli.route:route", "Routes: names of your own for models, with others to turn to.", _NOUNS),
    "worker": Entry("signet.cli.worker:worker", "The hosts that run agents; bare: be one, in the foreground.", _NOUNS),
    "token": Entry("signet.cli.token:token", "Tokens: by which callers are known.", _NOUNS),
    "budget": Entry("signet.cli.budget:budget", "Budgets: what calls may use, and the stop switch.", _NOUNS),
    "usage": Entry("signet.cli.usage:usage", "Usage: tokens and cost, summed.", _NOUNS),
    "bench": Entry("benchmark.main:bench", "Measure what the platform costs.", _REST),
    "completion": Entry("signet.cli.completion:completion", "Print completion for bash, zsh or fish.", _REST),
    "version": Entry("signet.cli.version:version", "Print the version.", _REST),
    "help": Entry("signet.cli.help:help_", "Explain output, exit codes and the environment.", _REST),
    "control": Entry("signet.cli.processes:control", "Keep the state of the fleet and decide.", _PROCESSES),
    "router": Entry("signet.cli.processes:router", "Be the only door to models.", _PROCESSES),
    "web": Entry("signet.cli.processes:web", "Serve the pages and the HTTP doors.", _PROCESSES),
}
"""Every command; its help line stands here so that `signet --help` imports none."""


def cli() -> LazyGroup:
    """Make the root of all commands."""
    return LazyGroup(
        "signet",
        entries=ENTRIES,
        params=shared(),
        help="Run AI agents on your own hardware and seal every run.",
        epilog="Begin with `signet up`, then `signet chat assistant`. Exit codes: `signet help exit-codes`.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if instruction := os.environ.get("_SIGNET_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(cli(), {}, "signet", "_SIGNET_COMPLETE", instruction)
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end: let that go nowhere instead of complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.BROKEN_PIPE
    return code


def _run(args: list[str]) -> int:
    root = cli()
    try:
        with root.make_context("signet", args) as ctx:
            root.invoke(ctx)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return codes.USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        with contextlib.suppress(OSError):
            click.echo("", err=True)
        return codes.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if debugging():
            raise
        failure = Failure.of(error)
        failure.show(as_json=_wants_json(args), color=_color(args))
        return failure.code
    return codes.OK


def _wants_json(args: Sequence[str]) -> bool:
    """Tell whether JSON was asked for; the command line itself may be what is wrong, so it is looked at as it is."""
    pairs = zip(args, [*args[1:], ""], strict=True)
    return any(
        arg in {"--json", "-ojson", "-ojsonl", "--output=json", "--output=jsonl"}
        or (arg in {"-o", "--output"} and value in {"json", "jsonl"})
        for arg, value in pairs
    )


def _color(args: Sequence[str]) -> bool | None:
    return False if "--no-color" in args or colorless() else None

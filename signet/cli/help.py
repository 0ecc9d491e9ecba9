"""`signet help TOPIC`: what holds for all commands."""

import click

from signet.cli import codes
from signet.cli.call import Call, leaf

_OUTPUT = """\
Data goes to standard output, talk to standard error. -o says how data is printed:

  table   for people; columns in a pipe are not cut
  json    one value: an object, or an array for a list; indented at a terminal, one line in a pipe
  jsonl   a line of JSON for each row, or for each event of a run
  yaml    the same as json, as YAML
  name    names alone, a line each

The shape of JSON is stable. Its fields are those of protos/signet/v1, by their names there (snake_case). Times are
RFC 3339 in UTC, whole numbers are numbers, bytes are base64, enum values stand without their prefix: "SUCCEEDED". Every
field is there; what is unset is "", 0, false, [], {} or null, and unknown is null, as a cost without a price. Of the
kinds of an event only the one that it is stands there.

  signet run … -o json        the finished run, and `record`: its digest, exchanges, tool_calls, stamp_sources
  signet runs show … -o json  the same
  signet run … -o jsonl       every event, as it comes; so does `signet runs watch … -o json`
  signet runs record …        the whole record with every event

With -o json an error is one line of JSON on standard error:
{"error": {"exit_code", "code", "reason", "message", "hint", "violations"}}.

NO_COLOR or --no-color: no colours. --quiet: data alone."""

_ENVIRONMENT = """\
  SIGNET_DATA      data folder of the fleet on this machine; --data wins
  SIGNET_CONTROL   host:port of another fleet's control, over loopback or a tunnel
  SIGNET_ROUTER    host:port of its router
  SIGNET_TOKEN     the caller's token; without it, the one that the data folder keeps for its owner
  NO_COLOR         no colours
  SIGNET_DEBUG     1: show where an error came from

A process (control, router, worker, web) takes every option of its section from the environment, too:
SIGNET_<SECTION>_<OPTION>, for example SIGNET_WEB_PORT=8080. Flags win over the environment, that over config.yaml in
the data folder, that over the default."""


_TOPICS = {
    "output": _OUTPUT,
    "exit-codes": "\n".join(f"  {code:>3}  {meaning}" for code, meaning in codes.MEANINGS.items()),
    "environment": _ENVIRONMENT,
}


@leaf("help")
@click.argument("topic", type=click.Choice(list(_TOPICS)), required=False)
@click.pass_context
def help_(ctx: click.Context, call: Call, *, topic: str | None) -> None:
    """Explain what holds for all commands: output, exit codes, the environment."""
    if topic is None:
        click.echo(ctx.find_root().get_help())
        click.echo("\nTopics: signet help output, exit-codes, environment")
        return
    click.echo(_TOPICS[topic], color=call.color)

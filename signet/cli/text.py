"""What a person gives an agent to do: words of the command line, and what is piped in."""

import sys

import click

_MAX_BYTES = 1 << 20


def given(words: tuple[str, ...], *, usage: str) -> str:
    """Join the words; `-` among them stands for standard input, and so does having none while something is piped in.

    Raises UsageError where there is nothing, where standard input is over 1 MiB, and where a byte is no UTF-8.
    """
    if words and "-" not in words:
        return " ".join(words)
    if not words and sys.stdin.isatty():
        raise click.UsageError(f"say what the agent is to do: {usage}")
    piped = _piped()
    text = " ".join(piped if word == "-" else word for word in words) if words else piped
    if not text.strip():
        raise click.UsageError(f"standard input is empty: pipe something in, or say {usage}")
    return text


def _piped() -> str:
    body = sys.stdin.buffer.read(_MAX_BYTES + 1)
    if len(body) > _MAX_BYTES:
        raise click.UsageError(
            "standard input is over 1 MiB, the most that an input may have: put the material into a file of the "
            "agent's workspace and ask about the file"
        )
    try:
        return body.decode().rstrip("\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"standard input is not UTF-8: byte {error.start + 1} is 0x{body[error.start]:02x}. "
            "Convert it first, for example with `iconv -t utf-8`"
        ) from error

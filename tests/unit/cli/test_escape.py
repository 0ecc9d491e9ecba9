"""The way out of a terminal that answers no more, and what is typed otherwise."""

import pytest

from signet.cli.copy.place import Place
from signet.cli.shell.escape import Escape


@pytest.mark.parametrize(
    ("typed", "inside", "left"),
    [
        ([b"ls\r"], b"ls\r", False),
        ([b"~."], b"", True),
        ([b"ls\r~."], b"ls\r", True),
        ([b"ls\r", b"~", b"."], b"ls\r", True),
        ([b"ls ~."], b"ls ~.", False),
        ([b"\r~~."], b"\r~.", False),
        ([b"~x\r"], b"~x\r", False),
        ([b"cd ~\r~"], b"cd ~\r", False),
    ],
)
def test_enter_tilde_dot_leaves_and_nothing_else_does(typed: list[bytes], inside: bytes, *, left: bool) -> None:
    escape = Escape()

    assert b"".join(escape.pass_on(piece) for piece in typed) == inside
    assert escape.left is left


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("assistant:", Place("assistant", "/workspace", folder=True)),
        ("assistant:a/b", Place("assistant", "/workspace/a/b", folder=False)),
        ("agents/assistant:~/a/", Place("agents/assistant", "/workspace/a", folder=True)),
        ("sandboxes/vm.assistant-1:/srv/x", Place("sandboxes/vm.assistant-1", "/srv/x", folder=False)),
        ("assistant:../../etc", Place("assistant", "/etc", folder=False)),
        ("./a:b", Place("", "./a:b", folder=False)),
        ("/a:b", Place("", "/a:b", folder=False)),
        ("plain/", Place("", "plain", folder=True)),
        ("/", Place("", "/", folder=True)),
    ],
)
def test_a_side_of_a_copy_is_here_or_inside(text: str, place: Place) -> None:
    assert Place.parse(text) == place

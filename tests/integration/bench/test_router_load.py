"""The benchmark's own programs, built and run: they count what is right, and only that."""

import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.router.build import Programs, build
from benchmark.router.cells import TOKENS, Cell
from benchmark.router.generator import Generator, LoadError
from benchmark.router.measure import started
from benchmark.router.ours import NAME
from benchmark.router.plan import Plan
from benchmark.router.program import free_port, running
from benchmark.router.target import Target

CALLS = 12


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def direct(programs: Programs, tmp_path: Path) -> Iterator[tuple[Target, Generator]]:
    port = free_port()
    argv = [str(programs.upstream), str(port), str(TOKENS), "1000"]
    with running("upstream", argv, tmp_path, core=None) as upstream:
        upstream.wait_for_port(port)
        yield Target("direct", port, pids=(upstream.pid,)), Generator(programs.load, None, upstream.pid)


@pytest.mark.parametrize("form", ["json", "burst", "paced"])
def test_every_call_is_answered_and_every_answer_is_whole(form: str, direct: tuple[Target, Generator]) -> None:
    target, generator = direct
    cell = Cell(form, 4, 1.0)

    taken = generator.take(target, cell, calls=CALLS)

    assert (taken.done, taken.failed) == (CALLS, 0)
    assert taken.latency.n == taken.first.n == CALLS
    assert taken.gap.n == (0 if form == "json" else CALLS * (TOKENS - 1))
    assert taken.cpu_us > 0
    wanted = CALLS + cell.warm
    assert stats(target) == {
        "answers": wanted if form == "json" else 0, "streams": 0 if form == "json" else wanted, "left": 0
    }  # fmt: skip


def test_calls_begin_at_their_time_whether_those_before_have_ended_or_not(direct: tuple[Target, Generator]) -> None:
    target, generator = direct

    taken = generator.take(target, Cell("paced", 64, 0.5, rate=100))

    assert taken.failed == 0
    assert taken.done >= CALLS


def test_what_is_wrong_later_on_is_counted_and_shown(
    direct: tuple[Target, Generator], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, generator = direct
    monkeypatch.setattr("benchmark.router.generator.TOKENS", TOKENS + 1)

    taken = generator.take(target, Cell("paced", 2, 0.0), calls=4)

    assert (taken.done, taken.failed) == (0, 4)
    assert taken.said.startswith("HTTP/1.1 200 OK")


def whole(
    *, tokens: int = TOKENS, usage: int = TOKENS, status: str = "200 OK", form: str = "json", end: str = ""
) -> bytes:
    """Give an answer of the form that a cell takes for right, but for what is said."""
    said = f'"completion_tokens": {usage}'
    body = " token" * tokens + said if form == "json" else "data: token\n\n" * tokens + f"data: {said}\n\n{end}\n\n"
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("json", whole(status="500 Internal Server Error")),
        ("json", whole(tokens=TOKENS - 1)),
        ("json", whole(usage=TOKENS - 1)),
        ("burst", whole(form="burst", end="data: {}")),
        ("burst", whole(form="burst", end="data: [DONE]", tokens=TOKENS - 1)),
        ("json", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        ("json", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        ("json", b"garbage\r\n\r\n"),
        ("json", b""),
    ],
)
def test_a_target_that_answers_wrongly_is_not_measured_but_named(form: str, answer: bytes, programs: Programs) -> None:
    with (
        served(answer) as target,
        pytest.raises(LoadError, match="canned gave no right answer"),
    ):
        Generator(programs.load, None, os.getpid()).take(target, Cell(form, 1, 1.0), calls=1)


@pytest.mark.parametrize(("form", "end"), [("json", ""), ("burst", "data: [DONE]")])
def test_what_is_only_just_right_is_right(form: str, end: str, programs: Programs) -> None:
    with served(whole(form=form, end=end)) as target:
        taken = Generator(programs.load, None, os.getpid()).take(target, Cell(form, 1, 1.0), calls=1)

    assert taken.done == 1


def test_a_caller_that_leaves_in_the_middle_of_a_stream_is_seen_to_have_left(direct: tuple[Target, Generator]) -> None:
    target, _ = direct
    with socket.create_connection(("127.0.0.1", target.port), 5) as caller:
        caller.sendall(target.request("paced"))
        caller.recv(1)
    deadline = time.monotonic() + 30
    while not (left := stats(target)["left"]) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert left == 1


def stats(target: Target) -> dict[str, int]:
    """Ask the upstream what it did."""
    with urllib.request.urlopen(f"http://127.0.0.1:{target.port}/stats", timeout=30) as answer:
        found: dict[str, int] = json.load(answer)
    return found


@contextmanager
def served(answer: bytes) -> Iterator[Target]:
    """Say the same to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_answer_all, args=(listener, answer), daemon=True)
        serving.start()
        try:
            yield Target("canned", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(10)


def _answer_all(listener: socket.socket, answer: bytes) -> None:
    """Say the same to every request, one caller after another; hang up where there is nothing to say."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while connection.recv(65536) and answer:
                connection.sendall(answer)


def test_our_router_answers_every_form_with_everything_on(programs: Programs, tmp_path: Path) -> None:
    with started(Plan(1, (), alone=False), programs, tmp_path) as (targets, generator, _):
        for form in ("json", "burst", "paced"):
            taken = generator.take(targets[NAME], Cell(form, 2, 1.0), calls=CALLS)
            assert (taken.done, taken.failed, taken.said) == (CALLS, 0, "")
            assert taken.cpu_us > 0

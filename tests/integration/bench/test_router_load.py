"""The benchmark's own programs, built and run: they count what is right, and only that."""

import json
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.router import cells
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
    with urllib.request.urlopen(f"http://127.0.0.1:{target.port}/stats", timeout=5) as answer:
        stats = json.load(answer)

    assert (taken.done, taken.failed) == (CALLS, 0)
    assert taken.latency.n == taken.first.n == CALLS
    assert taken.gap.n == (0 if form == "json" else CALLS * (TOKENS - 1))
    assert taken.cpu_us > 0
    wanted = CALLS + cell.warm
    assert stats == {
        "answers": wanted if form == "json" else 0, "streams": 0 if form == "json" else wanted, "left": 0
    }  # fmt: skip


def test_calls_begin_at_their_time_whether_those_before_have_ended_or_not(direct: tuple[Target, Generator]) -> None:
    target, generator = direct

    taken = generator.take(target, Cell("paced", 64, 0.5, rate=100))

    assert taken.failed == 0
    assert taken.done >= CALLS


def test_an_answer_with_a_token_too_few_is_no_answer(
    direct: tuple[Target, Generator], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, generator = direct
    monkeypatch.setattr("benchmark.router.generator.TOKENS", TOKENS + 1)

    taken = generator.take(target, Cell("paced", 2, 0.0), calls=4)

    assert (taken.done, taken.failed) == (0, 4)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"garbage\r\n\r\n",
        b"",
    ],
)
def test_a_target_that_answers_wrongly_is_not_measured_but_named_with_what_it_said(
    answer: bytes, programs: Programs
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_answer_all, args=(listener, answer), daemon=True)
        serving.start()
        target = Target("broken", listener.getsockname()[1])
        with pytest.raises(LoadError, match="broken gave no right answer"):
            Generator(programs.load, None, os.getpid()).take(target, cells.JSON_1)
        listener.shutdown(socket.SHUT_RDWR)
    serving.join(10)


def _answer_all(listener: socket.socket, answer: bytes) -> None:
    """Say the same to everybody, and hang up."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


def test_our_router_answers_every_form_with_everything_on(programs: Programs, tmp_path: Path) -> None:
    with started(Plan(1, (), alone=False), programs, tmp_path) as (targets, generator, _):
        for form in ("json", "burst", "paced"):
            taken = generator.take(targets[NAME], Cell(form, 2, 1.0), calls=CALLS)
            assert (taken.done, taken.failed, taken.said) == (CALLS, 0, "")
            assert taken.cpu_us > 0

import asyncio
import socket

import pytest

from workers.frames import LINE_BYTES, BadFrame, Frames, LineTooLong, decode, encode, pair


async def fed(data: bytes) -> Frames:
    ours, theirs = pair()
    frames = Frames(ours)
    theirs.setblocking(False)

    async def feed() -> None:
        with theirs:
            await asyncio.get_running_loop().sock_sendall(theirs, data)

    frames_feeding = asyncio.create_task(feed())
    frames_feeding.add_done_callback(lambda done: done.exception())
    return frames


async def test_frames_come_in_order_and_then_the_end() -> None:
    frames = await fed(b'{"a": 1}\n{"b": "\xc3\xbc"}\n')
    assert await frames.receive() == {"a": 1}
    assert await frames.receive() == {"b": "ü"}
    assert await frames.receive() is None
    frames.close()


async def test_a_line_of_just_the_bound_is_taken_and_a_longer_one_is_not() -> None:
    room = LINE_BYTES - len(encode({"t": ""})) + 1
    frames = await fed(encode({"t": "x" * room}) + encode({"t": "x" * (room + 1)}))
    frame = await frames.receive()
    assert frame
    assert len(frame["t"]) == room
    with pytest.raises(LineTooLong):
        await frames.receive()
    frames.close()


async def test_a_line_without_end_is_refused_before_it_is_kept() -> None:
    frames = await fed(b"x" * (LINE_BYTES * 4))
    with pytest.raises(LineTooLong):
        await frames.receive()
    frames.close()


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b"9" * 5000]
)
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(line)


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert decode(b'{"a": "\xff"}') == {"a": "\ufffd"}


async def test_half_surrogates_are_written_as_question_marks() -> None:
    assert encode({"a": "\ud800"}) == b'{"a":"?"}\n'


async def test_a_frame_too_long_to_send_is_refused_whole() -> None:
    ours, theirs = pair()
    frames = Frames(ours)
    with pytest.raises(LineTooLong):
        await frames.send({"t": "x" * LINE_BYTES})
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    frames.close()
    theirs.close()


async def test_nobody_reading_is_no_error() -> None:
    ours, theirs = pair()
    theirs.close()
    frames = Frames(ours)
    await frames.send({"a": 1})
    frames.close()


async def test_after_the_end_was_called_only_what_was_there_already_is_read() -> None:
    ours, theirs = pair()
    frames = Frames(ours)
    theirs.sendall(b'{"a": 1}\n')
    waiting = asyncio.create_task(frames.receive())
    frames.end()
    assert await waiting == {"a": 1}
    assert await frames.receive() is None
    with pytest.raises(BrokenPipeError):
        theirs.send(b"x", socket.MSG_NOSIGNAL)
    frames.close()
    theirs.close()


async def test_a_flood_of_frames_lets_others_have_their_turn() -> None:
    frames = await fed(b'{"a": 1}\n' * 1000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(1000):
        await frames.receive()
    assert turns >= 15
    task.cancel()
    frames.close()

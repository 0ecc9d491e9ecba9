"""Forms are bounded, UTF-8, and refused with what would be right."""

from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from signet.kit.errors import InvalidArgument
from web import form
from web.form import TooLarge

URLENCODED = "application/x-www-form-urlencoded"


def posted(chunks: list[bytes], kind: str = URLENCODED) -> Request:
    async def bodies() -> AsyncIterator[Message]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    messages = bodies()
    return Request(
        {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, messages.__anext__
    )


async def test_fields_are_read_whole_from_any_chunks() -> None:
    assert await form.read(posted([b"input=a%20", b"b&x", b"=%C3%A4"])) == {"input": "a b", "x": "ä"}


@pytest.mark.parametrize("body", [b"input=%ff%fe", b"input=\xff"])
async def test_bytes_that_are_not_utf8_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        await form.read(posted([body]))


async def test_another_content_type_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="application/x-www-form-urlencoded"):
        await form.read(posted([b"{}"], "application/json"))


async def test_a_form_without_end_is_refused_at_its_limit() -> None:
    with pytest.raises(TooLarge):
        await form.read(posted([b"x" * 65_536] * 60))


async def test_too_many_fields_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="32 fields"):
        await form.read(posted([b"&".join(b"a=1" for _ in range(40))]))


def test_a_message_keeps_its_lines_and_loses_the_browsers_line_ends() -> None:
    assert form.message({"input": "a\r\n\r\n  b\r\n"}) == "a\n\n  b"


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_an_empty_message_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        form.message({"input": text})


def test_a_message_over_a_mebibyte_is_refused_with_its_size() -> None:
    with pytest.raises(TooLarge) as caught:
        form.message({"input": "ä" * 1_048_576})

    assert "2.0 MiB" in caught.value.detail


def test_a_message_of_a_mebibyte_is_taken() -> None:
    assert len(form.message({"input": "x" * form.INPUT_BYTES})) == form.INPUT_BYTES

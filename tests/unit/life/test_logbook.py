"""A sandbox's log: bounded, followed, and honest about what a slow reader missed."""

import asyncio

from workers.logbook import LINES, TEXT_CHARACTERS, Line, Logbook


async def all_of(book: Logbook) -> list[Line]:
    return [line async for line in book.read(follow=False)]


async def test_the_last_lines_are_kept() -> None:
    book = Logbook()
    for number in range(LINES + 50):
        book.write("event", str(number))
    lines = await all_of(book)
    assert [line.text for line in lines] == [str(number) for number in range(50, LINES + 50)]
    again = Logbook(book.lines)
    again.write("kept", "on")
    assert [line.text for line in await all_of(again)] == [*[str(number) for number in range(51, LINES + 50)], "on"]


async def test_a_line_stays_one_and_is_bounded() -> None:
    book = Logbook()
    book.write("event", "two\nlines\r\n and a forged one")
    book.write("event", "x" * 100_000)
    first, second = await all_of(book)
    assert first.text == "two lines and a forged one"
    assert len(second.text) < TEXT_CHARACTERS + 50
    assert "100000 characters" in second.text


async def test_whoever_follows_hears_of_new_lines_until_the_log_is_closed() -> None:
    book, heard = Logbook(), list[str]()
    book.write("event", "before")

    async def follow() -> None:
        heard.extend([line.text async for line in book.read(follow=True)])

    following = [asyncio.create_task(follow()) for _ in range(2)]
    await asyncio.sleep(0)
    book.write("event", "after")
    await asyncio.sleep(0)
    book.write("event", "last")
    book.close()
    await asyncio.gather(*following)
    assert sorted(heard) == sorted(2 * ["before", "after", "last"])


async def test_whoever_reads_too_slowly_is_told_how_much_was_missed() -> None:
    book = Logbook()
    book.write("event", "first")
    reading = book.read(follow=True)
    assert (await anext(reading)).text == "first"
    for number in range(LINES + 5):
        book.write("event", str(number))
    missed = await anext(reading)
    assert missed.event == "skipped"
    assert "5 lines" in missed.text
    assert (await anext(reading)).text == "5"

"""ClientHellos are read strictly: one name, or none, and nothing that could be read in two ways."""

import ssl

import pytest

from workers.sidecars.egress import hello
from workers.sidecars.egress.hello import Damaged, Hello


def greeting(name: str | None) -> bytes:
    """Have a real client begin."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def record(message: bytes) -> bytes:
    return bytes((22, 3, 1)) + len(message).to_bytes(2) + message


@pytest.mark.parametrize("name", ["site.test", "a.b.c.example", ""])
def test_the_name_is_found(name: str) -> None:
    assert hello.read(greeting(name or None)) == Hello(name)


def test_more_bytes_are_asked_for_until_it_is_whole() -> None:
    data = greeting("site.test")
    assert all(hello.read(data[:size]) is None for size in range(len(data)))
    assert hello.read(data + b"more") == Hello("site.test")


def test_it_may_come_in_several_records() -> None:
    message = greeting("site.test")[5:]
    assert hello.read(record(message[:3]) + record(message[3:90]) + record(message[90:])) == Hello("site.test")


def test_two_names_are_refused() -> None:
    data = greeting("site.test")
    place = data.index(b"site.test") - 9
    extension = data[place : place + 18]
    body = bytearray(data[5:].replace(extension, extension * 2))
    body[1:4] = (len(body) - 4).to_bytes(3)
    sizes = 4 + 34 + 1 + body[38]
    sizes += 2 + int.from_bytes(body[sizes : sizes + 2])
    sizes += 1 + body[sizes]
    body[sizes : sizes + 2] = (len(body) - sizes - 2).to_bytes(2)
    with pytest.raises(Damaged, match="two ways"):
        hello.read(record(bytes(body)))


@pytest.mark.parametrize("size", range(6, 60, 6))
def test_one_that_ends_too_early_is_refused(size: int) -> None:
    body = greeting("site.test")[9 : 9 + size]
    with pytest.raises(Damaged):
        hello.read(record(bytes((1,)) + len(body).to_bytes(3) + body))


@pytest.mark.parametrize(
    "data",
    [
        record(bytes((2, 0, 0, 1, 0))),  # a server's
        bytes((22, 2, 0, 0, 5)) + bytes(5),
        record(b""),
        record(bytes((1, 255, 255, 255)) + bytes(16000)) * 5,
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        hello.read(data)

"""What a sandbox can reach."""

import asyncio
import socket

from tests.integration.sandbox.house import House, ask


async def test_nothing_outside_can_be_reached(house: House) -> None:
    name = f"bait-{house.folder.name}"
    with socket.create_server(("127.0.0.1", 0)) as bait, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0" + name)
        abstract.listen()
        port = bait.getsockname()[1]
        async with await house.open() as sandbox:
            found = await ask(sandbox, "ways_out", {"HOST_PORT": str(port), "HOST_NAME": name})
    assert found == {
        "outside tcp": "EACCES",
        "outside udp": "ENETUNREACH",
        "outside v6": "ENETUNREACH",
        "host loopback": "EACCES",
        "host abstract": "ECONNREFUSED",
        "listen": "EACCES",
        "names": found["names"],
        "interfaces": ["lo"],
    }
    assert not found["names"].startswith("succeeded")


async def test_a_listener_is_reached_inside_and_accepted_outside(house: House) -> None:
    async with await house.open(listeners={"inference": ("127.0.0.2", 80)}) as sandbox:
        server = await asyncio.start_server(_answer, sock=sandbox.listeners["inference"])
        async with server:
            assert await ask(sandbox, "converse") == "you said: hello from inside"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"you said: " + await reader.read())
    writer.close()
    await writer.wait_closed()


async def test_sandboxes_have_the_same_address_each_for_itself(house: House) -> None:
    listeners = {"inference": ("127.0.0.2", 80)}
    async with await house.open(listeners=listeners) as one, await house.open(listeners=listeners) as other:
        assert one.listeners["inference"].getsockname() == other.listeners["inference"].getsockname()
        server = await asyncio.start_server(_answer, sock=one.listeners["inference"])
        async with server:
            assert await ask(one, "converse") == "you said: hello from inside"


async def test_a_port_can_be_opened_only_if_the_spec_says_so(house: House) -> None:
    async with await house.open(bind_ports=(8642,)) as sandbox:
        assert await ask(sandbox, "serve", {"PORT": "8642"}) == "to myself"

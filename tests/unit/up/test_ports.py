"""Who has a port of this machine is named, so that a person knows what to end."""

import os
import socket
from pathlib import Path

import pytest

from signet.kit.home import Home
from signet.up import occupied
from signet.up.plan import DOORS, Choices
from signet.up.ports import Holder, holder


def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert holder(port) is None


def test_the_holder_of_a_port_is_named_with_its_pid() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = holder(listener.getsockname()[1])
    assert held is not None
    assert held.pid == os.getpid()
    assert "pytest" in held.command


def test_an_occupied_port_names_the_port_its_holder_and_every_way_to_choose_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(occupied.PortError) as caught:
            occupied.check(Home(tmp_path), Choices({"web": port, "control": 0, "router": 0}))
    for word in (str(port), f"pid {os.getpid()}", "--port", "SIGNET_WEB_PORT", "web.port", "config.yaml"):
        assert word in str(caught.value)


def test_a_fleets_own_programs_are_told_from_others() -> None:
    home = Home(Path("/srv/signet"))
    assert occupied.ours(Holder(1, "python -m signet.cli web --data /srv/signet"), home)
    assert not occupied.ours(Holder(1, "python -m signet.cli web --data /srv/signet2"), home)
    assert not occupied.ours(Holder(0, ""), home)
    assert DOORS[0].name == "web"

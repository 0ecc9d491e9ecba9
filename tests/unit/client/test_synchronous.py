"""The synchronous client is the asynchronous one, run to its end."""

import inspect
import threading

import pytest

from signet.client import AsyncSignet, Signet
from signet.client.portal import Facade
from signet.kit.errors import NotFound
from signet.v1 import runs_pb2 as pb
from tests.fakes.control import Hold, text
from tests.fakes.hosted import Hosted


def test_five_lines_run_an_agent(hosted: Hosted) -> None:
    with Signet(data=str(hosted.home.root)) as signet:
        events = list(signet.run("assistant", "Say hello"))

    assert events[-1].finished.outcome == "SUCCEEDED"
    assert not [thread for thread in threading.enumerate() if thread.name == "signet-client"]


def test_breaking_off_cancels_the_run(hosted: Hosted) -> None:
    hosted.state.scripts["held"] = (text("a"), Hold())

    with Signet(data=str(hosted.home.root)) as signet:
        for event in signet.run("assistant", "held"):
            if event.HasField("text"):
                break

    assert hosted.state.asked(pb.CancelRunRequest)


def test_an_error_comes_as_itself(hosted: Hosted) -> None:
    with Signet(data=str(hosted.home.root)) as signet, pytest.raises(NotFound):
        signet.agents.get("nobody")


def test_lists_can_be_iterated_and_paged(hosted: Hosted) -> None:
    with Signet(data=str(hosted.home.root)) as signet:
        assert [agent.name for agent in signet.agents.list(page_size=1)] == ["agents/assistant"]
        assert signet.usage.list().page().total.calls == 7


ASYNCHRONOUS = {("sandboxes", "open")}  # streams in both directions at once are no matter of calls that block


def test_nothing_of_the_asynchronous_client_is_left_out() -> None:
    asynchronous, synchronous = AsyncSignet(control="127.0.0.1:1"), Signet(control="127.0.0.1:1")
    for name, namespace in vars(asynchronous).items():
        if name.startswith("_"):
            continue
        facade = getattr(synchronous, name)
        assert isinstance(facade, Facade)
        for verb, method in inspect.getmembers(type(namespace), inspect.isfunction):
            if not verb.startswith("_") and (name, verb) not in ASYNCHRONOUS:
                assert getattr(type(facade), verb).__wrapped__ is method
    synchronous.close()

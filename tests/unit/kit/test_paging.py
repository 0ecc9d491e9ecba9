import pytest
from hypothesis import given
from hypothesis import strategies as st

from signet.kit.errors import InvalidArgument
from signet.kit.paging import Page
from signet.v1 import agents_pb2, runs_pb2


@given(st.lists(st.text() | st.integers()))
def test_a_token_gives_its_position_back(position: list[str | int]) -> None:
    token = Page.parse(runs_pb2.ListRunsRequest(agent="agents/a")).token(*position)

    assert Page.parse(runs_pb2.ListRunsRequest(agent="agents/a", page_token=token)).position == tuple(position)


@pytest.mark.parametrize(
    "request_", [runs_pb2.ListRunsRequest(agent="agents/b"), runs_pb2.ListRunsRequest(), agents_pb2.ListAgentsRequest()]
)
def test_a_token_fits_no_other_list(request_: runs_pb2.ListRunsRequest) -> None:
    request_.page_token = Page.parse(runs_pb2.ListRunsRequest(agent="agents/a")).token("x")

    with pytest.raises(InvalidArgument) as caught:
        Page.parse(request_)
    assert caught.value.reason == "INVALID_PAGE_TOKEN"


@given(st.text(min_size=1))
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument):
        Page.parse(runs_pb2.ListRunsRequest(page_token=token))


@pytest.mark.parametrize("size", [-1, 1001])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(InvalidArgument, match="page_size"):
        Page.parse(runs_pb2.ListRunsRequest(page_size=size))

import pytest

from signet.kit.names import SLUG
from workers import options
from workers.options import Options


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("box", "box"),
        ("Box.example.com", "box"),
        ("7up", "host-7up"),
        ("my_host", "my-host"),
        ("", "host"),
        ("é", "host"),
    ],
)
def test_a_worker_is_named_after_its_host(monkeypatch: pytest.MonkeyPatch, host: str, slug: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert options.host_slug() == slug
    assert SLUG.fullmatch(Options().name)


def test_all_that_is_out_of_range_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"capacity must be 1 to 1000, not 0; tool_seconds .*; name must be .*'A b'"):
        Options(name="A b", capacity=0, tool_seconds=0)

import time
import uuid

import pytest

from signet.kit import names
from signet.kit.errors import InvalidArgument


def test_ids_are_version_seven_and_sort_by_time() -> None:
    first = names.uuid7()
    time.sleep(0.002)  # ids of one millisecond have no order
    second = names.uuid7()

    assert uuid.UUID(first).version == 7
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert first < second


@pytest.mark.parametrize(
    "name", ["", "agents/", "runs/x", "assistant", "agents/Big", "agents/a b", "agents/" + "a" * 64]
)
def test_what_is_no_name_is_refused_by_field(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        names.parse_slug("agents", name, "agent.name")
    assert caught.value.violations[0].field == "agent.name"


def test_short_and_full_names() -> None:
    assert names.full("agents", "assistant") == names.full("agents", "agents/assistant") == "agents/assistant"
    assert names.short("models/openai/gpt") == "openai/gpt"

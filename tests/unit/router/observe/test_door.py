"""A router that runs shows what it did: to Prometheus by token, to a collector in its caller's trace."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from router.observe.trace import read
from tests.fakes.collector import collecting
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import OPERATOR, VIEWER, Rig, bearer, rig, sign

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ASKED = {"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}]}


async def scrape(router: Rig, token: str = VIEWER) -> dict[str, float]:
    """Read the metrics; those of one name added up."""
    answer = await router.door.get("/metrics", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def test_what_was_asked_and_refused_is_counted(tmp_path: Path) -> None:
    async with FakeProvider() as fake, rig(tmp_path / "d", fake) as router:
        for _ in range(2):
            assert (await router.door.post("/v1/chat/completions", json=ASKED, headers=bearer(OPERATOR))).is_success
        refused = await router.door.post(
            "/v1/chat/completions", json={**ASKED, "model": "no/such"}, headers=bearer(OPERATOR)
        )
        found = await scrape(router)

    assert refused.status_code == 404
    assert found["signet_router_calls_total"] == 2
    assert found["signet_router_tokens_total"] > 0
    assert found["signet_router_call_seconds_count"] == 2
    assert found["signet_router_refusals_total"] == 1
    assert found["signet_router_open_requests"] == 1  # this one
    assert found["signet_router_running_calls"] == 0


@pytest.mark.parametrize("who", ["nobody", "a run"])
async def test_metrics_are_for_operators_and_viewers_alone(tmp_path: Path, who: str) -> None:
    async with rig(tmp_path / "d") as router:
        headers = bearer(sign(router.home, "fake/fake-small")) if who == "a run" else {}
        answer = await router.door.get("/metrics", headers=headers)

    assert answer.status_code == (403 if who == "a run" else 401)
    assert b"signet_router" not in answer.content


async def test_a_callers_trace_goes_on_to_the_provider_and_the_collector(tmp_path: Path) -> None:
    async with (
        collecting() as collector,
        FakeProvider(key="sk-planted-0123456789") as fake,
        rig(tmp_path / "d", fake, otlp_endpoint=collector.endpoint) as router,
    ):
        headers = {**bearer(OPERATOR), "traceparent": PARENT, "tracestate": "acme=1"}
        answer = await router.door.post("/v1/chat/completions", json=ASKED, headers=headers)
        assert answer.is_success
        sent = fake.asked[-1].headers

    [span] = collector.spans
    onward = read(sent["traceparent"], sent["tracestate"])
    assert onward is not None
    assert onward.trace_id == span.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert onward.span_id == span.span_id.hex()
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"
    assert onward.state == "acme=1"
    assert fake.key
    assert fake.key not in span.SerializeToString().decode("latin-1")


async def test_without_a_collector_the_trace_goes_through_and_nonsense_does_not(tmp_path: Path) -> None:
    async with FakeProvider() as fake, rig(tmp_path / "d", fake) as router:
        for parent in (PARENT, "nonsense"):
            headers = {**bearer(OPERATOR), "traceparent": parent}
            await router.door.post("/v1/chat/completions", json=ASKED, headers=headers)
        first, second = (asked.headers for asked in fake.asked[-2:])

    assert first["traceparent"] == PARENT
    assert "traceparent" not in second

"""The observer, for as long as a context lasts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from router.observe.observer import Observer
from router.observe.tally import Tally
from signet.kit.lifecycle import StartError


@asynccontextmanager
async def observing(endpoint: str, environment: Mapping[str, str], version: str) -> AsyncIterator[Observer]:
    """Count calls, and send spans of them to `endpoint`, else to the environment's OTEL_EXPORTER_OTLP_ENDPOINT, if any.

    Raises StartError where that is named and the extra `otel` is not installed. Spans that wait are sent in the end.
    """
    endpoint = endpoint or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not endpoint:
        yield Observer(Tally())
        return
    try:
        from router.observe.spans import Spans
    except ImportError as error:
        raise StartError('router.otlp_endpoint needs the extra otel: pip install "signet[otel]"') from error
    spans = Spans(endpoint, version)
    try:
        yield Observer(Tally(), spans)
    finally:
        await asyncio.to_thread(spans.close)

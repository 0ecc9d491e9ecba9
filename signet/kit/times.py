"""Times on the wire and in the store: UTC, integer microseconds since 1970."""

import time

from google.protobuf.timestamp_pb2 import Timestamp


def now_micros() -> int:
    """Give the time now."""
    return time.time_ns() // 1000


def stamp(micros: int) -> Timestamp:
    """Put a time on the wire."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def micros(timestamp: Timestamp) -> int:
    """Take a time from the wire."""
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000

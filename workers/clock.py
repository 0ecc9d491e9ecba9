"""The clock that leases are counted on."""

import time


def now() -> float:
    """Give seconds since the host started, those in suspend included: a laptop that slept has let its leases end."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

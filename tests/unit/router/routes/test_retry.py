"""What providers say of when to come back is read in every form that there is, and nothing else is believed."""

from email.utils import formatdate

import pytest

from router.routes.retry import MOST_SECONDS, retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 -0000"}, MOST_SECONDS * 0),
        ({"retry-after": "999999999"}, MOST_SECONDS),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7.0),
    ],
)
def test_what_is_said(headers: dict[str, str], expected: float | None) -> None:
    now = 1_795_254_000.0 + 3600 if "21 Nov" in headers.get("retry-after", "") else NOW
    found = retry_after(headers, now)
    assert found == expected if expected is None else found == pytest.approx(expected)

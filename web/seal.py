"""The seal of a stamp: a guilloche of five rings, one per digest. Change one of the five and one ring changes."""

import math
import re
from functools import lru_cache

from markupsafe import Markup

_TURNS = (2, 3)
_PETALS = (7, 9, 11, 13, 17, 19)
_POINTS_PER_TURN = 84
_CENTRE = 60.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


@lru_cache(maxsize=256)
def seal(digests: tuple[str, ...], title: str = "") -> Markup:
    """Draw the seal of these sha256 digests (hexadecimal), inside out, as SVG in the current colour.

    With a title it is an image with that name; without one it is decoration.
    """
    rings = "".join(_ring(index, digest) for index, digest in enumerate(digests) if _DIGEST.fullmatch(digest))
    role = Markup('role="img" aria-label="{}"').format(title) if title else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="seal" viewBox="0 0 120 120" {}><g fill="none" stroke="currentColor" stroke-linejoin="round">'
        '<circle cx="60" cy="60" r="57.5" stroke-width="1.4"/><circle cx="60" cy="60" r="54.8" stroke-width=".5"/>{}'
        '<circle cx="60" cy="60" r="3" stroke-width="1"/></g></svg>'
    ).format(role, Markup(rings))  # noqa: S704 - digits of our own making


def _ring(index: int, digest: str) -> str:
    """Draw one ring: a wave around a circle, closed after two or three turns."""
    seed = bytes.fromhex(digest[:8])
    turns = _TURNS[seed[0] % len(_TURNS)]
    petals = _PETALS[seed[1] % len(_PETALS)]
    if petals % turns == 0:
        petals += 1
    radius = 10.0 + 9.6 * index
    height = 3.2 + (seed[2] / 255) * 3.0
    phase = seed[3] / 255 * math.tau
    steps = _POINTS_PER_TURN * turns
    points = []
    for step in range(steps):
        angle = step / steps * math.tau * turns
        reach = radius + height * math.sin(angle * petals / turns + phase)
        points.append(f"{_CENTRE + reach * math.cos(angle):.1f} {_CENTRE + reach * math.sin(angle):.1f}")
    return f'<path class="ring ring-{index}" stroke-width=".55" d="M{"L".join(points)}Z"/>'

"""The picture of a sandbox: a wall for each layer around the agent; whole, broken in part, or not there."""

from collections.abc import Sequence
from math import tau

from markupsafe import Markup

from signet.v1 import events_pb2

_CENTRE, _INNER, _OUTER = 100.0, 26.0, 94.0
_CLASSES = {
    int(events_pb2.ISOLATION_STATE_ENFORCED): "wall-whole",
    int(events_pb2.ISOLATION_STATE_PARTIAL): "wall-part",
    int(events_pb2.ISOLATION_STATE_ABSENT): "wall-none",
}


def walls(layers: Sequence[events_pb2.IsolationLayer], inside: str) -> Markup:
    """Draw the walls from the inside out, in the order of the report; its text says what it shows."""
    held = sum(layer.state == events_pb2.ISOLATION_STATE_ENFORCED for layer in layers)
    label = f"{held} of {len(layers)} walls around {inside} hold"
    step = (_OUTER - _INNER) / max(len(layers), 1)
    rings = Markup("").join(
        Markup('<circle class="wall {}" cx="100" cy="100" r="{}"{}><title>{}</title></circle>').format(
            _CLASSES.get(int(layer.state), "wall-none"),
            f"{_INNER + step * (index + 0.5):.1f}",
            _gaps(_INNER + step * (index + 0.5), layer.state),
            f"{layer.name}: {layer.detail}" if layer.detail else layer.name,
        )
        for index, layer in enumerate(layers)
    )
    return Markup(
        '<svg class="walls" viewBox="0 0 200 200" role="img" aria-label="{}">{}'
        '<circle class="agent" cx="100" cy="100" r="17"/><text x="100" y="104" text-anchor="middle">{}</text></svg>'
    ).format(label, rings, inside[:1].upper())


def _gaps(radius: float, state: int) -> Markup:
    """Break a wall that holds in part into dashes, and one that is absent into dots, evenly around."""
    if state == events_pb2.ISOLATION_STATE_ENFORCED:
        return Markup("")
    pieces = 12 if state == events_pb2.ISOLATION_STATE_PARTIAL else 40
    length = tau * radius / pieces
    share = 0.7 if state == events_pb2.ISOLATION_STATE_PARTIAL else 0.12
    return Markup(' stroke-dasharray="{} {}"').format(f"{length * share:.2f}", f"{length * (1 - share):.2f}")

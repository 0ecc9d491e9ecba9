"""The secrets of one request: placeholders are swapped, and the answer is watched for all values lent to its host."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from signet.policy import lend
from workers.sidecars.egress import placeholder, vault
from workers.sidecars.egress.head import Headers
from workers.sidecars.egress.order import Order
from workers.sidecars.egress.target import Target
from workers.sidecars.egress.vault import Vault

_WHOLE = ("accept-encoding", "range", "if-range")
"""Headers by which an answer comes in a form, or in parts, in which a value could not be found."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A request's headers as they are sent, and the texts that stand for values in its answer."""

    headers: Headers
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


async def prepare(order: Order, keeper: Vault, target: Target, path: str, headers: Headers, *, private: bool) -> Lent:
    """Swap the placeholders of a request for their values. Raises Denied for one that may not stand where it does.

    `private`: it goes on over TLS. In the clear nothing is lent, and answers are watched all the same.
    """
    placeholder.check_target(path)
    uses = {order.placeholders.get(use.name, ""): use for use in lend.lent(order.policy, target.host, target.port)}
    uses.pop("", None)
    if not uses:
        if placeholder.found(headers):
            placeholder.swap(headers, lambda _text, _name: None)
        return Lent(headers)
    borrowed = {text: await keeper.value(use.secret) for text, use in uses.items()}

    def value(text: str, name: str) -> str | None:
        use = uses.get(text)
        if use is None or not private or not lend.carries(use, target.host, target.port, path, name):
            return None
        found = borrowed[text]
        if found is None:
            raise vault.unlent(use.secret, "there is none of this name for this agent")
        return found

    headers, swapped = placeholder.swap(headers, value)
    values = {found: text for text, found in borrowed.items() if found is not None}
    if not values:
        return Lent(headers)
    kept = tuple(pair for pair in headers if pair[0].lower() not in _WHOLE)
    wholes = {new.partition(" ")[2] or new: old.partition(" ")[2] or old for new, old in swapped.items()}
    return Lent((*kept, ("accept-encoding", "identity")), {**wholes, **values})

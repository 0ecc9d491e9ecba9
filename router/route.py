"""Which model a name stands for. Pure: knows names, asks nobody."""

from collections.abc import Iterable
from dataclasses import dataclass

from signet.kit.errors import NotFound, near

DEFAULT = "default"


@dataclass(frozen=True)
class Choice:
    """A provider's id and its own name of the model."""

    provider: str
    upstream: str

    @property
    def name(self) -> str:
        """The public name, without `models/`."""
        return f"{self.provider}/{self.upstream}"


@dataclass(frozen=True)
class Offer:
    """What a provider can be asked for: the models it names, and whether it takes names beyond those (`open`)."""

    provider: str
    models: tuple[str, ...]
    open: bool = False


def alias(name: str, default: str) -> str:
    """Replace `default` by what it stands for. Raises NotFound where it stands for nothing."""
    name = name.removeprefix("models/")
    if name != DEFAULT:
        return name
    if not default:
        raise NotFound(
            "MODEL_NOT_FOUND",
            "models/default stands for nothing: there is no provider",
            hint="signet provider add, then signet model default",
        )
    return default


def route(name: str, offers: Iterable[Offer]) -> Choice:
    """Find who serves a public name (`models/` in front is fine). Raises NotFound, with near names in the message."""
    name = name.removeprefix("models/")
    provider, _, upstream = name.partition("/")
    known = list(offers)
    for offer in known:
        if offer.provider == provider and upstream and (upstream in offer.models or offer.open):
            return Choice(provider, upstream)
    names = [f"{offer.provider}/{model}" for offer in known for model in offer.models]
    hint = near(name, names) or _same_tail(name, names)
    raise NotFound("MODEL_NOT_FOUND", f"there is no model {name!r}.{hint}", hint="signet model list")


def pick_default(chosen: str, environment: str, offers: Iterable[Offer]) -> str:
    """Say what `default` stands for: what was chosen, else the environment's, else the embedded chat model, else ""."""
    if chosen or environment:
        return chosen or environment
    embedded = next((offer for offer in offers if offer.provider == "embedded" and offer.models), None)
    return f"embedded/{embedded.models[0]}" if embedded else ""


def _same_tail(name: str, names: Iterable[str]) -> str:
    same = [known for known in names if known.rpartition("/")[2] == name.rpartition("/")[2]]
    return f" Did you mean {' or '.join(same[:3])}?" if same else ""

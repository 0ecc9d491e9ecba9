"""What the suites are held against, set up once: the engines of sandboxes, and providers of models.

A kind of provider is held to `test_providers.py` by a line in `subjects.py`. Its fake is a FakeProvider, or what offers
the same: it is an async context manager that serves a real port, and has

- `base_url`, where it is reached, and `key`, which its calls need, empty for none;
- `models`, the names that it lists, and `asked`, the requests for answers that came (`path`, `headers`, parsed `body`);
- `queue(Reply(…))`, answers given next, in its server's own wire form, faults among them; else it answers by the last
  message: `You said: …` of what was said; `CALL tool {"json": "arguments"}` calls that tool, and the tool's result is
  `The tool said: …`; `THINK text` thinks that text first; asked for a schema, it gives something that keeps to it;
- `hung_up()`, which waits until a caller left in the middle of an answer;
- refusals of its server's own: of a model that it does not have, of a request beyond `context_words`, of a wrong key.

Requests that its server would refuse or not understand it has to refuse, too: that is what the suite is for.
"""

from collections.abc import Iterator

import pytest

from tests.conformance import engines as setup
from tests.conformance.engines import Engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Give what can be tested here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield setup.set_up(tmp_path_factory.mktemp("engines"), monkeypatch)

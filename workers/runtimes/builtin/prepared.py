"""What was learned beforehand from the catalog's examples, so that a run need not embed them again.

`python -m workers.runtimes.builtin.prepared BASE_URL EMBEDDING_MODEL EXAMPLES.json` learns it anew; a test compares.
"""

import base64
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.runtimes.builtin.frames import Channel, Output
from workers.runtimes.builtin.model import Model
from workers.runtimes.builtin.ridge import Examples, Scorer, learn
from workers.runtimes.builtin.wire import Deadlines

FILE = Path(__file__).with_name("prepared.json")
TEXTS_AT_ONCE = 64
"""Most texts of one request for embeddings."""


@dataclass(frozen=True)
class Prepared:
    """A scorer, and the embedding model that it goes with."""

    model: str
    scorer: Scorer

    def fits(self, model: str, groups: Mapping[str, Sequence[str]]) -> bool:
        """Whether it knows each of these labels by just these examples; it may know more."""
        own = self.scorer.examples
        return model == self.model and all(own.sentences_of(label) == tuple(given) for label, given in groups.items())

    def write(self) -> str:
        """Return it as JSON, numbers packed."""
        scorer = self.scorer
        labels = list(scorer.directions)
        content = {
            "model": self.model,
            "examples": {label: list(scorer.examples.sentences_of(label)) for label in labels},
            "mean": pack(scorer.mean),
            "directions": {label: pack(scorer.directions[label]) for label in labels},
            "weights": {label: pack(scorer.weights[label]) for label in labels},
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read(text: str) -> Prepared:
    """Read what write() wrote."""
    content: dict[str, Any] = json.loads(text)
    examples = Examples.of(content["examples"])
    directions = {label: unpack(packed) for label, packed in content["directions"].items()}
    weights = {label: unpack(packed) for label, packed in content["weights"].items()}
    return Prepared(content["model"], Scorer(examples, unpack(content["mean"]), directions, weights))


def embed(model: Model, name: str, texts: Sequence[str], output: Output) -> list[list[float]]:
    """Embed any number of texts, some at a time."""
    parts = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    return [row for part in parts for row in model.embed(name, part, output)]


def pack(row: Sequence[float]) -> str:
    """Return numbers as base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()


def unpack(text: str) -> tuple[float, ...]:
    """Return what pack() took."""
    packed = base64.b64decode(text)
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def main(base_url: str, name: str, examples: str) -> None:
    """Learn from a JSON object of label to examples, and write the file."""
    wanted = Examples.of(json.loads(Path(examples).read_text("utf-8")))
    model = Model(base_url, name, Deadlines())
    vectors = embed(model, name, wanted.sentences, Output(Channel(sys.stderr.fileno())))
    FILE.write_text(Prepared(name, learn(wanted, vectors)).write(), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

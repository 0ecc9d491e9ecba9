"""The words of a sentence as a small sparse vector, beside what an embedding says of its meaning."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|“[^”]*”|(?<!\w)'[^']*'(?!\w)")
PATH = re.compile(r"(?<![\w/])(?:[\w.~-]*/)*[\w-]+\.[A-Za-z]\w{0,6}\b|(?<![\w/])/?(?:[\w.~-]+/)+[\w.-]*")
FILE, TEXT = "FILE", "TEXT"
"""What stands for a path and for a quoted text: which one it is says nothing about the wish."""

Vector = Mapping[str, float]


@dataclass(frozen=True)
class Words:
    """How rare each word and each pair of words is among the sentences known."""

    weights: Vector

    @classmethod
    def of(cls, sentences: Iterable[str]) -> "Words":
        """Count a list of sentences."""
        found = [features(sentence) for sentence in sentences]
        counts = Counter(word for sentence in found for word in sentence)
        return cls({word: math.log(1 + len(found) / count) for word, count in counts.items()})

    def vector(self, sentence: str) -> dict[str, float]:
        """Return a sentence's vector of length 1; empty where none of its words is known."""
        known = {word: count * self.weights[word] for word, count in features(sentence).items() if word in self.weights}
        length = math.sqrt(sum(value * value for value in known.values()))
        return {word: value / length for word, value in known.items()}


def features(sentence: str) -> dict[str, float]:
    """Return the words, which one comes first, and, at half the weight, the pairs."""
    text = PATH.sub(f" {FILE} ", QUOTED.sub(f" {TEXT} ", sentence))
    words = [word if word in (FILE, TEXT) else word.lower() for word in re.findall(r"[^\W\d_]+", text)]
    found = dict.fromkeys(words, 1.0)
    if words:
        found[f"^{words[0]}"] = 1.0
    pairs = Counter(f"{first} {second}" for first, second in pairwise(words))
    return found | {pair: min(0.5 * count, 1.0) for pair, count in pairs.items()}


def product(left: Vector, right: Vector) -> float:
    """Return the dot product of two sparse vectors."""
    if len(left) > len(right):
        left, right = right, left
    return sum(value * right[word] for word, value in left.items() if word in right)

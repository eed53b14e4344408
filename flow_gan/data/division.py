"""Which of a folder's subfolders hold training, validation and test images, by their names."""

import collections
import itertools
import re
from collections.abc import Iterable

from flow_gan.config.datasets import SPLITS

# What people call the parts, as the `datasets` library of Hugging Face understands it, and a few more.
_WORDS = {
    "train": ("train", "training", "trainval"),
    "validation": ("validation", "validate", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_PARTS = {word: part for part, words in _WORDS.items() for word in words}
# What may stand beside such a word, as in training_set or test-images.
_FILLERS = ("set", "sets", "split", "data", "dataset", "images", "image", "imgs", "img")
_GLUED = re.compile(rf"^({'|'.join(_PARTS)})({'|'.join(_FILLERS)})$")


def part_of(name: str) -> str | None:
    """Return the part, one of `SPLITS`, that a subfolder's name stands for in any case; None if it stands for none."""
    words = [word for word in _words(name) if word not in _FILLERS]
    return _PARTS.get(words[0]) if len(words) == 1 else None


def looks_divided(names: Iterable[str]) -> bool:
    """Whether subfolders of these names, as far as names tell, hold training images apart from others."""
    # Many subfolders are classes, whose names say nothing: the pairs of the few others are soon tried.
    found = collections.Counter(frozenset(_PARTS[word] for word in _words(name) if word in _PARTS) for name in names)
    sets = [kind for kind, count in found.items() for _ in range(min(count, 2)) if kind]
    return any("train" in one and other - {"train"} for one, other in itertools.permutations(sets, 2))


def divided(names: list[str]) -> dict[str, str]:
    """Return {part: name} of the subfolders that divide a folder; {} if none of them looks like a part.

    Raises:
      ValueError: some look like parts, but the division is ambiguous or incomplete.
    """
    parts = {name: part_of(name) for name in names}
    if not any(parts.values()) and not looks_divided(names):
        return {}
    found = {part: [name for name in names if parts[name] == part] for part in (*SPLITS, None)}
    if found[None] or not found["train"] or max(map(len, found.values())) > 1:
        raise ValueError
    return {part: found[part][0] for part in SPLITS if found[part]}


def _words(name):
    """Return the words of a name in lower case: of my-trainSet_2 my, train, set."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])", name)]
    return " ".join(_GLUED.sub(r"\1 \2", word) for word in words).split()

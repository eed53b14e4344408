"""Initial weights."""

from typing import Any

import keras
import numpy as np

from flow_gan.errors import check_choice

INITIALIZERS = {
    "normal": lambda seed: keras.initializers.TruncatedNormal(stddev=0.02, seed=seed),
    "uniform": lambda seed: keras.initializers.RandomUniform(-0.01, 0.01, seed=seed),
    "orthogonal": lambda seed: keras.initializers.Orthogonal(seed=seed),
    "xavier": lambda seed: keras.initializers.GlorotUniform(seed=seed),
}


# The first number of `place`: the role of the network.
GENERATOR, CRITIC = 0, 1


class SeededInitializers:
    """A source of initializers, whose seeds all differ and derive from one seed.

    The release's weights of equal shape start equal (its seeds are constant); here every matrix is
    drawn independently.

    Args:
      init_type: "normal" (truncated, standard deviation 0.02), "uniform" (+-0.01), "orthogonal" or
        "xavier" (Glorot uniform): the release's `--init_type`.
      seed: int, from which all seeds derive.
      *place: integers that identify this source among all others: the network's role and number.
    """

    def __init__(self, init_type: str, seed: int, *place: int):
        check_choice("init_type", init_type, INITIALIZERS)
        self._init_type = init_type
        self._make = INITIALIZERS[init_type]
        self._sequence = np.random.SeedSequence(seed, spawn_key=place)

    def next(self) -> keras.initializers.Initializer:
        """Return an initializer that no earlier call returned."""
        return self._make(self.next_seed())

    def next_seed(self) -> int:
        """Return a seed, an int below 2^31, that no earlier call used."""
        (child,) = self._sequence.spawn(1)
        return int(child.generate_state(1)[0] >> 1)

    def get_config(self) -> dict:
        """Return the configuration of a source whose first initializer is the next one of this source."""
        sequence = self._sequence
        return {
            "init_type": self._init_type,
            "seed": sequence.entropy,
            "place": list(sequence.spawn_key),
            "used": sequence.n_children_spawned,
        }

    @classmethod
    def from_config(cls, config: dict) -> "SeededInitializers":
        """Return the source of `get_config`."""
        initializers = cls(config["init_type"], config["seed"], *config["place"])
        initializers._sequence.spawn(config["used"])
        return initializers


class SeededLayer(keras.layers.Layer):
    """A Keras layer whose initial weights are drawn from `SeededInitializers`, one of the constructor's arguments.

    Args:
      initializers: `SeededInitializers`.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, initializers: SeededInitializers, **kwargs: Any):
        super().__init__(**kwargs)
        self._initializers = initializers.get_config()

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {"initializers": self._initializers}

    @classmethod
    def from_config(cls, config: dict) -> "SeededLayer":
        """Return the layer of `get_config`."""
        return super().from_config(config | {"initializers": SeededInitializers.from_config(config["initializers"])})

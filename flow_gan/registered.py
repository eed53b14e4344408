"""The classes that saved models consist of, which Keras finds by their names in any process that has imported flow_gan.

Each is registered by `keras.saving.register_keras_serializable("flow_gan")` where it is defined. `import flow_gan` does
not import them, nor Keras; this table leads Keras to their modules when it loads a model.
"""

import importlib
from typing import Any

import wrapt

# {class: its module}. A test checks that these are all classes that the package registers.
MODULES = {
    "Adam": "flow_gan.training.optimizers",
    "BatchNorm": "flow_gan.networks.normalization",
    "Conv2D": "flow_gan.networks.convolution",
    "CouplingCNN": "flow_gan.networks.cnn",
    "CouplingMLP": "flow_gan.networks.mlp",
    "Critic": "flow_gan.networks.critics",
    "DCGAN": "flow_gan.generators.dcgan",
    "DecayToFloor": "flow_gan.training.optimizers",
    "Dense": "flow_gan.networks.dense",
    "Divergence": "flow_gan.objectives",
    "FlowGAN": "flow_gan.model",
    "Glow": "flow_gan.generators.glow",
    "InvertibleConvolutions": "flow_gan.networks.invertible_convolution",
    "LayerNorm": "flow_gan.networks.normalization",
    "LeakyReLU": "flow_gan.networks.activations",
    "MeanAndStandardError": "flow_gan.mean_and_error",
    "NICE": "flow_gan.generators.nice",
    "PerStep": "flow_gan.training.optimizers",
    "RealNVP": "flow_gan.generators.real_nvp",
    "ResidualNetwork": "flow_gan.networks.residual",
    "UpsamplingNetwork": "flow_gan.networks.dcgan",
}


class _Later:
    """Placeholder for a class until its module is imported, which registers the class itself."""

    def __init__(self, name):
        self._name = name

    def from_config(self, config: dict) -> Any:
        """Return the object of a saved configuration."""
        return getattr(importlib.import_module(MODULES[self._name]), self._name).from_config(config)


def register() -> None:
    """Let Keras find the classes: now if it is imported already, otherwise as soon as it is imported."""
    wrapt.register_post_import_hook(_register, "keras")


def _register(keras):
    keras.saving.get_custom_objects().update({f"flow_gan>{name}": _Later(name) for name in MODULES})

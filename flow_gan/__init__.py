"""Flow-GAN: generative adversarial networks with an exact likelihood (Grover, Dhar, Ermon, AAAI 2018)."""

import importlib
import importlib.util
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from flow_gan import registered
from flow_gan.errors import UserError
from flow_gan.start_up import make_tensorflow_quiet

make_tensorflow_quiet()
# By default TensorFlow uses oneDNN's kernels only on CPUs with AVX-512 VNNI. They are also faster with AVX2: a Real-NVP
# hybrid step takes 2.4 s instead of 6.0, most of it in the gradients of the critic's strided convolutions, a NICE
# hybrid step 0.83 s instead of 1.25 (2 cores, AMD EPYC). The variable must be set before TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Keras takes its backend from here when it is first imported, or from its own file where this is not set.
if "keras" not in sys.modules:
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        warnings.warn(f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}; flow_gan uses tensorflow instead", stacklevel=2)
    os.environ["KERAS_BACKEND"] = "tensorflow"
elif (_backend := sys.modules["keras"].config.backend()) != "tensorflow":
    raise UserError(
        f"Keras was imported with the backend {_backend}; expected tensorflow: import flow_gan first, or set "
        "KERAS_BACKEND=tensorflow"
    )

registered.register()

if TYPE_CHECKING:
    from flow_gan import data, evaluation, generators, measurement, objectives, original, training
    from flow_gan.generators import DCGAN, NICE, Glow, RealNVP
    from flow_gan.measurement import load
    from flow_gan.model import FlowGAN
    from flow_gan.networks import critics
    from flow_gan.objectives import Divergence

__version__ = "0.1.0"

__all__ = [
    "DCGAN",
    "NICE",
    "Divergence",
    "FlowGAN",
    "Glow",
    "RealNVP",
    "UserError",
    "critics",
    "data",
    "evaluation",
    "generators",
    "load",
    "measurement",
    "objectives",
    "original",
    "training",
]

# Imported on first use: TensorFlow takes seconds to import, and `--help` does not need it.
_MODULES = {
    "DCGAN": "flow_gan.generators",
    "Divergence": "flow_gan.objectives",
    "FlowGAN": "flow_gan.model",
    "Glow": "flow_gan.generators",
    "NICE": "flow_gan.generators",
    "RealNVP": "flow_gan.generators",
    "load": "flow_gan.measurement",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name == "critics":
        return importlib.import_module("flow_gan.networks.critics")
    if name.startswith("_") or importlib.util.find_spec(f"flow_gan.{name}") is None:
        raise AttributeError(f"module 'flow_gan' has no attribute {name!r}")
    return importlib.import_module(f"flow_gan.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

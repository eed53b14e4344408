"""The original release's numbers (golden/README.md) and how closely they must be met."""

import json
import pathlib

import numpy as np

import flow_gan
from flow_gan.data import dequantize

FOLDER = pathlib.Path(__file__).parents[1] / "golden"


class Golden:
    """One golden file: its arrays by key, and the models that it describes."""

    def __init__(self, name):
        self._file = np.load(FOLDER / f"{name}.npz", allow_pickle=False)
        self.keys = self._file.files
        self.meta = json.loads(str(self._file["meta"]))

    def __getitem__(self, key):
        return self._file[key]

    def below(self, prefix):
        """Return {name: array} of the keys `prefix/name`."""
        return {k[len(prefix) + 1 :]: self[k] for k in self.keys if k.startswith(prefix + "/")}

    def part(self, prefix, scope):
        """Return the variables below `prefix` whose name starts with `scope` ("model", "discriminator")."""
        return {k: v for k, v in self.below(prefix).items() if k.startswith(scope)}

    def nice(self, alpha=None, dtype="float32"):
        meta = self.meta
        generator = flow_gan.NICE(
            meta["image"],
            meta["hidden_layers"],
            meta["no_of_layers"],
            meta["prior"],
            alpha or meta["alpha"],
            dtype=dtype,
        )
        flow_gan.original.assign_variables(generator, self.part("var", "model"))
        return generator

    def real_nvp(self, dtype="float32"):
        meta = self.meta
        generator = flow_gan.RealNVP(
            meta["image"],
            meta["no_of_layers"],
            meta["channels"],
            meta["prior"],
            "moving" if meta["batch_norm_adaptive"] else "batch",
            meta["alpha"],
            dtype=dtype,
        )
        flow_gan.original.assign_variables(generator, self.part("var", "model"))
        return generator

    def generator(self, dtype="float32"):
        return {"nice": self.nice, "real_nvp": self.real_nvp}[self.meta["model_type"]](dtype=dtype)

    def critic(self, dtype="float32"):
        meta = self.meta
        shape, divergence, filters = meta["image"], meta["f_div"], meta["df_dim"]
        if meta["dataset"] == "mnist":
            critic = flow_gan.critics.two_convolutions(shape, divergence, filters, meta["dfc_dim"], dtype=dtype)
        else:
            critic = flow_gan.critics.dcgan(shape, divergence, filters, dtype=dtype)
        flow_gan.original.assign_variables(critic, self.part("var", "discriminator"))
        return critic

    def dequantized(self, noise_key="noise", x_key="x"):
        return dequantize(grey_levels(self[x_key]), self[noise_key])


def grey_levels(images):
    return np.round(images * 255).astype(np.uint8)


def assert_close_to_largest(actual, expected, tolerance, what=""):
    """Assert max |actual - expected| <= tolerance * max |expected|."""
    error = np.abs(np.asarray(actual) - expected).max()
    assert error <= tolerance * np.abs(expected).max(), f"{what}: {error}"


def assert_log_prob(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=5e-5, atol=0.02)


def assert_loss(actual, expected, what=""):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5, err_msg=what)


def assert_gradients(actual, expected, skip=()):
    """Compare {name: gradient}; `skip` names gradients that vanish by construction."""
    expected = {k: v for k, v in expected.items() if k not in skip}
    assert expected.keys() <= actual.keys()
    largest = max(np.abs(v).max() for v in expected.values())
    for name, value in expected.items():
        error = np.abs(np.asarray(actual[name]).reshape(value.shape) - value).max()
        assert error <= 1e-3 * np.abs(value).max() + 1e-5 * largest, f"{name}: {error}"
    flat = np.concatenate([np.ravel(v) for v in expected.values()])
    ours = np.concatenate([np.ravel(actual[k]) for k in expected])
    assert np.linalg.norm(ours - flat) <= 2e-5 * np.linalg.norm(flat)


def assert_moving(actual, expected, before, tolerance=1e-4, alternative=None):
    """Compare {name: moving average} after one or several passes.

    Args:
      actual, expected: averages now, with the release's names.
      before: the averages before.
      tolerance: of the batch's standard deviation or variance, got back from the change of the average.
      alternative: a second acceptable outcome, or None: the release ran two passes in either order.
    """
    for name, value in expected.items():
        if name.endswith("/step"):
            continue
        is_mean = name.endswith(("/mean", "/moving_mean"))
        variance_name = name.replace("moving_mean", "moving_variance").replace("/mean", "/var")
        variance = (expected[variance_name] - 0.9 * before[variance_name]) / 0.1
        unit = np.sqrt(np.maximum(variance, 0)) if is_mean else variance
        candidates = [value] if alternative is None else [value, alternative[name]]
        # Masked channels have no variance, which leaves the rounding of the average itself.
        allowed = tolerance * np.maximum(unit, 0) + np.finfo(np.float32).eps * np.abs(value)
        errors = [np.abs(np.asarray(actual[name]) - v) - allowed for v in candidates]
        assert np.minimum.reduce(errors).max() <= 0, f"{name}: {actual[name]} against {candidates}"


def moving_averages(part):
    """Return the model's moving averages under the release's names."""
    endings = ("/mean", "/var", "/moving_mean", "/moving_variance")
    names = flow_gan.original.variable_names(part)
    return {k: v.numpy() for k, v in names.items() if k.endswith(endings)}


def trainable(part):
    """Return {release's name: `original.Entry`} of the trainable variables."""
    return {k: v for k, v in flow_gan.original.variable_names(part).items() if v.trainable}

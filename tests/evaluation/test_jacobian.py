"""Jacobian spectra against automatic differentiation and the flow's own log-determinant."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import random
from flow_gan.evaluation import JacobianSpectrum, jacobian, jacobian_spectrum
from flow_gan.generators.labels import arguments
from flow_gan.networks.normalization import moving_averages

GENERATORS = {
    "nice": lambda dtype: flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1, dtype=dtype),
    "nice, 3 classes": lambda dtype: flow_gan.NICE((4, 4, 1), 8, 1, num_classes=3, dtype=dtype),
    "real_nvp": lambda dtype: flow_gan.RealNVP((2, 4, 1), residual_blocks=1, filters=3, scales=1, dtype=dtype),
    "glow": lambda dtype: flow_gan.Glow((4, 4, 1), 2, scales=1, filters=3, learned_prior=True, dtype=dtype),
    "dcgan": lambda dtype: flow_gan.DCGAN((4, 4, 1), filters=2, dtype=dtype),
    "dcgan, k < d": lambda dtype: flow_gan.DCGAN((4, 4, 1), filters=8, latent_size=5, dtype=dtype),
}


def make(name, dtype="float32"):
    """A small generator at weights that matter."""
    generator = GENERATORS[name](dtype)
    rng = np.random.default_rng(0)
    fixed = {id(v) for v in generator.non_trainable_variables} - {id(v) for v in moving_averages(generator)}
    for variable in (v for v in generator.weights if id(v) not in fixed):
        noise = 0.3 * rng.normal(size=variable.shape)
        variable.assign(np.exp(noise) if "variance" in variable.path else variable.numpy() + noise)
    return generator


@pytest.mark.parametrize("name, rows", [*((name, 256) for name in GENERATORS), ("nice", 7), ("dcgan", 7)])
def test_singular_values(name, rows, monkeypatch):
    """Those of the Jacobian row by row, which finite differences confirm; in blocks of any size."""
    monkeypatch.setattr(jacobian, "_ROWS", rows)
    generator = make(name)
    spectrum = jacobian_spectrum(generator, draws=2, seed=3)
    exact = make(name, "float64")
    for copy, variable in zip(exact.weights, generator.weights, strict=True):
        copy.assign(variable.numpy().astype(copy.dtype))
    z = exact.sample_latent(random.key(3, random.Stream.SAMPLE), 0, 2)
    labels = exact.sample_labels(random.key(3, random.Stream.LABEL, random.Stream.SAMPLE), 0, 2)
    for i in range(2):
        at, given = z[i : i + 1], arguments(None if labels is None else labels[i : i + 1])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(at)
            values = tf.unstack(tf.reshape(exact.decode(at, **given), [-1]))
        expected = np.concatenate([tape.gradient(value, at) for value in values])
        step = 1e-6 * np.random.default_rng(i).normal(size=at.shape)
        difference = np.ravel(exact.decode(at + step, **given) - exact.decode(at - step, **given)) / 2
        np.testing.assert_allclose(expected @ step[0], difference, rtol=1e-5, atol=1e-13)
        expected = np.linalg.svd(expected, compute_uv=False)
        np.testing.assert_allclose(spectrum.singular_values[i], expected, rtol=1e-9, atol=1e-14 * expected[0])
        if name == "dcgan":
            # ReLUs that do not fire lose directions, and rounding alone is left of them.
            assert spectrum.warnings and spectrum.condition_numbers[i] > 1e15
            continue
        np.testing.assert_allclose(spectrum.condition_numbers[i], expected[0] / expected[-1], rtol=1e-6)
        np.testing.assert_allclose(spectrum.log_determinants[i], np.log(expected).sum(), rtol=1e-8)
    if generator.has_likelihood:
        assert spectrum.disagreement < 1e-8 and spectrum.warnings == []
        assert spectrum.log_determinant == np.mean(spectrum.flow_log_determinants)
        # And the other way round: the inverse's log-determinant is the negative one.
        given = arguments(labels)
        inverse = exact.bijector(**given).inverse_log_det_jacobian(exact.decode(z, **given), event_ndims=3)
        np.testing.assert_allclose(spectrum.flow_log_determinants, -inverse, rtol=1e-6)
    else:
        assert spectrum.disagreement is None and spectrum.flow_log_determinants is None
        assert spectrum.log_determinant == np.mean(spectrum.log_determinants)


def test_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    generator = make("nice")
    first = jacobian_spectrum(generator, 2, folder=tmp_path / "z")
    whole = jacobian_spectrum(generator, 3)
    computed = []
    compute = jacobian._Jacobian.at
    monkeypatch.setattr(
        jacobian._Jacobian, "at", lambda self, z, *labels: computed.append(z) or compute(self, z, *labels)
    )
    assert jacobian_spectrum(generator, 3, folder=tmp_path / "z").to_dict() == whole.to_dict()
    assert len(computed) == 1 and whole.singular_values[:2] == first.singular_values
    # A file that was cut off, other weights or another seed: computed anew.
    (tmp_path / "z" / "z-0001.json").write_text((tmp_path / "z" / "z-0001.json").read_text()[:100])
    assert jacobian_spectrum(generator, 3, folder=tmp_path / "z").to_dict() == whole.to_dict()
    assert len(computed) == 2
    jacobian_spectrum(generator, 1, seed=1, folder=tmp_path / "z")
    generator.log_scale.assign(generator.log_scale + 1)
    other = jacobian_spectrum(generator, 1, seed=1, folder=tmp_path / "z")
    assert len(computed) == 4
    # x = sigmoid(y e^-s) - ...: the logit's slope is 1/4 at most, so the values fall by about e.
    assert max(other.singular_values[0]) < max(first.singular_values[0])


def spectrum_of(values, flow):
    values = np.array(values)
    with np.errstate(divide="ignore"):
        logs = np.log(values).sum(1)
        return JacobianSpectrum(
            singular_values=values.tolist(),
            condition_numbers=(values[:, 0] / values[:, -1]).tolist(),
            log_determinants=logs.tolist(),
            flow_log_determinants=flow,
            seed=0,
        )


def test_what_makes_it_honest():
    sound = spectrum_of([[2.0, 0.5], [4.0, 0.5]], [0.0, np.log(2)])
    assert sound.warnings == [] and sound.disagreement < 1e-12
    assert "condition number 6 in the median, 4 to 8" in str(sound)
    assert "log-determinant  0.35 +- 0.3" in str(sound) and "off by" in str(sound)
    (warning,) = spectrum_of([[2.0, 0.5]], [0.5]).warnings
    assert warning.startswith("the sum of log singular values and the flow's log-determinant differ by 0.5 nats")
    # A generator that loses a direction: no number for what float64 cannot resolve.
    flat = spectrum_of([[1.0, 1e-17], [1.0, 0.0]], None)
    assert flat.log_determinant == -np.inf and flat.condition_numbers[1] == np.inf and flat.disagreement is None
    assert flat.warnings[0].startswith("2 of 4 singular values are below 2.2e-16") and "off by" not in str(flat)
    assert json.dumps(sound.to_dict())


def test_errors_by_the_bootstrap_over_z():
    """That of a mean is the standard error; a summary of all z together has the error of z, not of each value."""
    rng = np.random.default_rng(0)
    # All values of one z move together, so that 64 z of 100 values tell no more than 64 numbers.
    values = np.exp(rng.normal(size=(64, 1)) + np.linspace(1, -1, 100))
    logs = np.log(values).sum(1)
    spectrum = JacobianSpectrum(
        singular_values=values.tolist(),
        condition_numbers=[np.e**2] * 64,
        log_determinants=logs.tolist(),
        flow_log_determinants=None,
        seed=0,
    )
    summaries = spectrum.summaries
    determinant = summaries["log_determinant"]
    np.testing.assert_allclose(determinant["standard_error"], logs.std(ddof=1) / 8, rtol=0.1)
    # The median of log s is that of 64 normal numbers at best: 1 / 8 or more.
    assert 0.1 < summaries["median"]["standard_error"] / np.median(values) < 0.3
    for part in summaries.values():
        assert min(part["resamples"]) <= part["value"] + 1e-9 and part["value"] <= max(part["resamples"]) + 1e-9
    # Each condition number is the same.
    assert summaries["log_condition"]["standard_error"] < 1e-12
    assert "nats, mean of log" in str(spectrum) and f" +- {determinant['standard_error']:.2g} nats" in str(spectrum)
    assert spectrum.summaries == summaries
    # Of the same z the difference of two models is known better than either.
    other = dataclasses.replace(spectrum, singular_values=(1.1 * values).tolist()).summaries
    differences = np.subtract(other["median"]["resamples"], summaries["median"]["resamples"])
    assert 0 < differences.std() < 0.2 * summaries["median"]["standard_error"]


def test_a_single_z_has_no_error():
    summaries = spectrum_of([[2.0, 0.5]], None).summaries
    assert all(part["standard_error"] is None for part in summaries.values())
    assert summaries["median"]["value"] == 1.25


def test_models_of_one_seed_are_measured_at_the_same_z(monkeypatch):
    """So that they can be compared in pairs."""
    seen = []
    at = jacobian._Jacobian.at
    monkeypatch.setattr(
        jacobian._Jacobian, "at", lambda self, z, *labels: seen.append(z.numpy()) or at(self, z, *labels)
    )
    for name in ("nice", "dcgan"):
        jacobian_spectrum(make(name), 2, seed=5)
    np.testing.assert_array_equal(seen[:2], seen[2:])


def test_a_model_of_bfloat16_products():
    """Its Jacobian is that of its weights in float64."""
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1, precision="bfloat16")
    exact = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1)
    assert jacobian_spectrum(generator, 1).singular_values == jacobian_spectrum(exact, 1).singular_values


def test_bad_input():
    generator = make("nice")
    with pytest.raises(flow_gan.UserError, match="draws=0; expected 1 or more"):
        jacobian_spectrum(generator, 0)
    generator.log_scale.assign(np.nan * generator.log_scale)
    with pytest.raises(flow_gan.UserError, match="the Jacobian of NICE is not finite"):
        jacobian_spectrum(generator, 1)

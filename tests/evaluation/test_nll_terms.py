"""Where the nats of an NLL are: sums, order of the pixels, pixels that never change."""

import numpy as np
import pytest

import flow_gan
from flow_gan import data, evaluation
from flow_gan.errors import UserError
from flow_gan.evaluation.nll_terms import _pixel_terms, constant_values
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD

SHAPE = (4, 6, 2)
ALPHA = 0.01
GENERATORS = {
    "nice": lambda **settings: flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=1, logit_alpha=ALPHA, **settings),
    "real_nvp": lambda **settings: flow_gan.RealNVP(
        SHAPE, residual_blocks=1, filters=4, logit_alpha=ALPHA, **({"scales": 2} | settings)
    ),
    "nice, a learned prior": lambda **settings: GENERATORS["nice"](learned_prior=True, **settings),
    "glow": lambda **settings: flow_gan.Glow(
        (4, 6, 2), 2, scales=1, filters=4, logit_alpha=ALPHA, learned_prior=True, **settings
    ),
    "real_nvp, by the batch": lambda **settings: flow_gan.RealNVP(
        SHAPE, residual_blocks=1, filters=4, logit_alpha=ALPHA, batch_norm="batch", **settings
    ),
}


def perturbed(name, **settings):
    """A generator whose weights are not those of the start, where log-scales are 0."""
    generator = GENERATORS[name](**settings)
    rng = np.random.default_rng(0)
    for variable in generator.trainable_variables:
        variable.assign(variable.numpy() + 0.3 * rng.normal(size=variable.shape))
    return generator


def grey_levels(count=23):
    """Images whose first row is black, whose second is of one grey level, but for a pixel of either."""
    levels = np.random.default_rng(1).integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    levels[:, 0], levels[:, 1] = 0, 9
    levels[-1, 0, 2, 1], levels[0, 1, 3, 0] = 1, 8
    return levels


def pixels(dtype=np.float64):
    return ((grey_levels() + np.random.default_rng(2).random((23, *SHAPE))) / 256).astype(dtype)


def logit(x):
    """Return the logit of images and -log of its derivative, by the formula, both of the images' shape."""
    w = ALPHA + (1 - 2 * ALPHA) * x
    return np.log(w) - np.log(1 - w), np.log(w) + np.log(1 - w) - np.log(1 - 2 * ALPHA)


def minus_log_logistic(z):
    return z + 2 * np.logaddexp(0, -z)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_terms_add_up_to_the_nll(name):
    """That of `evaluate_nll`, with its error, also by the batch: 23 images are 3 of 10."""
    model = flow_gan.FlowGAN(perturbed(name), n_critic=0)
    split = data.Split(grey_levels())
    dataset = data.Dataset(name="random", image_shape=SHAPE, levels=256, train=split, validation=split, test=split)
    nll = evaluation.evaluate_nll(model, dataset, "test", 10)
    terms = evaluation.evaluate_nll_terms(model.generator, evaluation.dequantized_images(model, dataset, "test"), 10)
    means, errors = terms.total.means, terms.total.standard_errors
    assert list(means) == list(errors) == ["prior", "log_scales", "logit", "nll"]
    np.testing.assert_allclose(means["nll"], nll.nats, rtol=1e-5)
    np.testing.assert_allclose(errors["nll"], nll.nats_standard_error, rtol=1e-4)
    np.testing.assert_allclose(means["prior"] + means["log_scales"] + means["logit"], means["nll"], rtol=1e-9)
    assert min(abs(means[term]) for term in ("prior", "log_scales", "logit")) > 0.1
    assert (terms.num_images, terms.finite_fraction, terms.total.num_values) == (23, 1.0, 48)
    assert terms.warnings == ([NO_PER_IMAGE_LIKELIHOOD] if name.endswith("by the batch") else [])
    assert (terms.per_pixel is None) == (not name.startswith("nice")) and terms.regions == {}


def test_the_terms_of_nice_are_those_of_the_formula():
    """Of each pixel value, in float64: positions count row-major, even ones are the first half of z."""
    generator = perturbed("nice", dtype="float64")
    y, minus_log_derivative = logit(pixels())
    halves = [y.reshape(23, -1)[:, first::2] for first in (0, 1)]
    for i, network in enumerate(generator.networks):
        halves[1 - i % 2] = halves[1 - i % 2] + network(halves[i % 2]).numpy()
    z, log_scale = np.empty((23, 48)), np.empty(48)
    for first in (0, 1):
        log_scale[first::2] = generator.log_scale.numpy()[24 * first : 24 * (first + 1)]
        z[:, first::2] = halves[first]
    prior = minus_log_logistic(z * np.exp(log_scale)).reshape(23, *SHAPE)
    expected = {"prior": prior, "log_scales": np.tile(-log_scale.reshape(SHAPE), (23, 1, 1, 1))}
    expected |= {"logit": minus_log_derivative}
    expected |= {"nll": sum(expected.values())}
    terms = evaluation.evaluate_nll_terms(generator, pixels(), 10)
    for term, values in expected.items():
        np.testing.assert_allclose(terms.per_pixel[term], values.mean(0), rtol=1e-9)
        totals = values.sum((1, 2, 3))
        np.testing.assert_allclose(terms.total.means[term], totals.mean(), rtol=1e-9)
        error = totals.std(ddof=1) / np.sqrt(23)
        np.testing.assert_allclose(terms.total.standard_errors[term], error, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(terms.total.means["nll"], -np.mean(generator.log_prob(pixels())), rtol=1e-9)


def test_the_log_scales_of_real_nvp_are_those_of_all_couplings():
    """Of one scale, whose couplings can be followed by hand: sums of (1 - b) l."""
    generator = perturbed("real_nvp", scales=1, prior="logistic", dtype="float64")
    y, minus_log_derivative = logit(pixels())
    log_scales = np.zeros(23)
    for network, mask in zip(generator.networks, generator.masks, strict=True):
        shift, log_scale = ((1 - mask) * part.numpy() for part in network(mask * y))
        y = y * np.exp(log_scale) + shift
        log_scales -= log_scale.sum((1, 2, 3))
    terms = evaluation.evaluate_nll_terms(generator, pixels(), 10)
    expected = minus_log_logistic(y).sum((1, 2, 3)), log_scales, minus_log_derivative.sum((1, 2, 3))
    for term, values in zip(("prior", "log_scales", "logit"), expected, strict=True):
        np.testing.assert_allclose(terms.total.means[term], values.mean(), rtol=1e-9)
        np.testing.assert_allclose(terms.total.standard_errors[term], values.std(ddof=1) / np.sqrt(23), rtol=1e-9)


@pytest.mark.parametrize("entry, position", [(0, 0), (7, 14), (24, 1), (40, 33)])
def test_an_entry_of_the_diagonal_moves_the_terms_of_its_pixel(entry, position):
    generator = perturbed("nice", dtype="float64")
    before = evaluation.evaluate_nll_terms(generator, pixels(), 10).per_pixel
    diagonal = generator.log_scale.numpy()
    diagonal[entry] += 0.5
    generator.log_scale.assign(diagonal)
    after = evaluation.evaluate_nll_terms(generator, pixels(), 10).per_pixel
    moved = {term: (after[term] - before[term]).ravel() for term in after}
    for term in ("prior", "log_scales", "nll"):
        np.testing.assert_array_equal(np.flatnonzero(moved[term]), [position])
    np.testing.assert_allclose(moved["log_scales"][position], -0.5)
    np.testing.assert_array_equal(moved["logit"], 0)


def test_pixels_that_never_change():
    """Counted by what the training images have, summed over the images that are evaluated."""
    masks = constant_values(grey_levels())
    black, constant = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    black[0] = constant[:2] = True
    black[0, 2, 1] = constant[0, 2, 1] = constant[1, 3, 0] = False
    np.testing.assert_array_equal(masks["black"], black)
    np.testing.assert_array_equal(masks["constant"], constant)
    generator = perturbed("nice")
    images = pixels(np.float32)
    terms = evaluation.evaluate_nll_terms(generator, images, 10, grey_levels())
    each = dict(zip(("prior", "log_scales", "logit"), np.moveaxis(_pixel_terms(generator, images), 1, 0), strict=True))
    each["nll"] = sum(each.values())
    for name, mask, count in (("black", black, 11), ("constant", constant, 22)):
        region = terms.regions[name]
        assert region.num_values == count
        for term in region.means:
            sums = each[term][:, mask].sum(1)
            np.testing.assert_allclose(region.means[term], sums.mean(), rtol=1e-5)
            error = sums.std(ddof=1) / np.sqrt(23)
            np.testing.assert_allclose(region.standard_errors[term], error, rtol=1e-4, atol=1e-6)
    assert terms.regions["black"].means["logit"] != terms.regions["constant"].means["logit"]


def test_all_training_images_tell_what_never_changes(monkeypatch):
    """They are read by parts: what only the last part changes is no constant."""
    monkeypatch.setattr(evaluation.nll_terms, "_READ_AT_ONCE", 4)
    masks = constant_values(grey_levels())
    assert not masks["black"][0, 2, 1] and not masks["constant"][1, 3, 0]
    assert (masks["black"].sum(), masks["constant"].sum()) == (11, 22)


def test_values_that_are_not_finite_are_told():
    """Outside of the uniform prior's edge the density is 0, which is the prior's infinity alone."""
    generator = perturbed("nice", prior="uniform")
    generator.log_scale.assign(np.full(48, -9.0))
    images = pixels(np.float32)
    images[:5] = 0.5
    images[20] = np.nan
    assert evaluation.evaluate_nll_terms(generator, images[:5], 10).finite_fraction == 1
    terms = evaluation.evaluate_nll_terms(generator, images, 10)
    assert terms.finite_fraction == pytest.approx(22 / 23)
    assert terms.warnings == ["only 95.65 % of the images have a finite log-likelihood"]
    assert "warning: only 95.65 %" in str(terms) and np.isnan(terms.total.means["nll"])
    generator.log_scale.assign(np.full(48, 3.0))
    terms = evaluation.evaluate_nll_terms(generator, pixels(np.float32), 10)
    assert terms.finite_fraction == 0
    assert terms.total.means["prior"] == np.inf and np.isfinite(terms.total.means["logit"])


def test_what_is_printed_and_stored():
    terms = evaluation.evaluate_nll_terms(perturbed("nice"), pixels(np.float32), 10, grey_levels(), num_available=250)
    lines = str(terms).splitlines()
    assert lines[0].split("  ")[0] == "nats (23 of 250 images)" and lines[0].endswith("NLL")
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "all 48 pixel values",
        "11 black in all training images",
        "22 constant in all training images",
    ]
    assert len({len(line) for line in lines}) == 1
    total = terms.total
    assert lines[1].endswith(f"  {total.means['nll']:.2f} +- {total.standard_errors['nll']:.2f}")
    stored = terms.to_dict()
    assert stored["regions"]["black"]["num_values"] == 11 and stored["warnings"] == []
    assert stored["total"]["means"] == total.means
    np.testing.assert_array_equal(stored["per_pixel"]["nll"], terms.per_pixel["nll"])
    of_one = str(evaluation.evaluate_nll_terms(perturbed("real_nvp"), pixels(np.float32)[:1], 10))
    assert of_one.startswith("nats (1 images)") and of_one.count("+- unknown") == 4


def test_a_generator_without_likelihood_is_refused():
    with pytest.raises(UserError, match=r"DCGAN has no likelihood.*no NLL to split into terms"):
        evaluation.evaluate_nll_terms(flow_gan.DCGAN((8, 8, 1), filters=2), np.zeros((1, 8, 8, 1), np.float32), 10)

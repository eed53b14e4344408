import numpy as np
import pytest

import flow_gan
from flow_gan import original
from tests.golden import Golden


@pytest.fixture(scope="module")
def golden():
    return Golden("loss_nice_ce")


@pytest.mark.parametrize("name", ["loss_nice_ce", "loss_real_nvp_wgan", "loss_real_nvp_simple_ce"])
def test_every_variable_has_a_name(name):
    golden = Golden(name)
    generator, critic = golden.generator(), golden.critic()
    model = flow_gan.FlowGAN(generator, critic, divergence=golden.meta["f_div"])
    for part in (generator, critic, model):
        named = {id(entry.variable) for entry in original.variable_names(part).values()}
        weights = [v for v in part.weights if v is not getattr(model, "step", None)]
        assert named == {id(v) for v in weights}
        assert sum(np.prod(entry.shape) for entry in original.variable_names(part).values()) == sum(
            np.prod(v.shape) for v in weights
        )


def test_a_whole_model(golden):
    model = flow_gan.FlowGAN(golden.nice(), golden.critic(), divergence="ce")
    values = {name: np.full_like(value, 0.25) for name, value in golden.below("var").items()}
    original.assign_variables(model, values)
    assert all((v.numpy() == 0.25).all() for v in model.weights if v is not model.step)


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda v: v.pop("model/Scaling/g_scale"), r"missing \['model/Scaling/g_scale'\], unknown none"),
        (lambda v: v.update(extra=np.zeros(1)), r"missing none, unknown \['extra'\]"),
        (lambda v: v.update({"bogus/step": np.zeros(())}), r"missing none, unknown \['bogus/step'\]"),
        (
            lambda v: v.update({"model/Scaling/g_scale": np.zeros((1, 3))}),
            r"variable 'model/Scaling/g_scale' has shape \(1, 3\); expected \(1, 144\)",
        ),
    ],
)
def test_refuses_by_name_and_changes_nothing(golden, break_it, message):
    generator = golden.nice()
    before = [v.numpy() for v in generator.weights]
    values = {name: value + 1 for name, value in golden.part("var", "model").items()}
    break_it(values)
    with pytest.raises(flow_gan.UserError, match=message):
        original.assign_variables(generator, values)
    for a, b in zip(before, generator.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_release_has_two_scales():
    with pytest.raises(flow_gan.UserError, match="scales=3 has no counterpart in the release, which has 2"):
        original.variable_names(flow_gan.RealNVP((4, 4, 1), 0, 2, scales=3))


def test_other_models_have_no_names():
    with pytest.raises(flow_gan.UserError, match="int has no counterpart"):
        original.variable_names(3)

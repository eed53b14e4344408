"""The counted work against formulas."""

import numpy as np
import pytest

import flow_gan
from flow_gan.benchmark.cost import Cost, evaluation_cost, step_cost
from flow_gan.benchmark.limits import Limits

BATCH, SIZE, HIDDEN, FILTERS, UNITS = 10, 64, 16, 4, 8
# Of one pass: a coupling's three matrices, and the critic's four layers on 8x8 images.
FIRST_MATRIX = 2 * BATCH * SIZE // 2 * HIDDEN
FLOW = 4 * (2 * FIRST_MATRIX + 2 * BATCH * HIDDEN * HIDDEN)
CONV_1, CONV_2 = 2 * BATCH * 16 * 25, 2 * BATCH * 4 * 25 * FILTERS
DENSE_1, DENSE_2 = 2 * BATCH * 4 * FILTERS * UNITS, 2 * BATCH * UNITS


def model_of(n_critic, like_reg, **arguments):
    generator = flow_gan.NICE((8, 8, 1), HIDDEN, 1)
    critic = flow_gan.critics.two_convolutions((8, 8, 1), arguments.get("divergence", "wgan"), FILTERS, UNITS)
    return flow_gan.FlowGAN(generator, critic, n_critic=n_critic, like_reg=like_reg, **arguments)


def weights_of(part):
    return sum(np.prod(v.shape) for v in part.trainable_variables)


def test_mle():
    model = model_of(0, 1.0)
    # Forwards, and backwards to weights and inputs; the first matrix's input comes from a norm with weights, too.
    assert step_cost(model, BATCH) == Cost(3 * FLOW, 0, 28 * weights_of(model.generator))
    assert evaluation_cost(model.generator) == Cost(FLOW / BATCH)


def test_adv():
    model = model_of(3, 0.0)
    cost = step_cost(model, BATCH)
    # The critic on real and generated images forwards, to its weights, and to the inputs of all but its first layer;
    # no gradient depends on the logits themselves. The penalty forwards and to the image, and from there to the weights
    # and back up; above the last layer all is constant. The generator's update goes through the critic to the image.
    dense = 3 * (6 * DENSE_1 + 4 * DENSE_2 + 4 * DENSE_1 + 2 * DENSE_2)
    dense += 2 * DENSE_1 + DENSE_2 + 3 * FLOW
    conv = 3 * (4 * CONV_1 + 6 * CONV_2 + 4 * (CONV_1 + CONV_2)) + 2 * (CONV_1 + CONV_2)
    weights = weights_of(model.generator) + 3 * weights_of(model.critic)
    assert cost == Cost(dense, conv, 28 * weights)


def test_hybrid_adds_the_likelihood():
    adv, hybrid, mle = (step_cost(model_of(n, like), BATCH) for n, like in ((2, 0.0), (2, 1.0), (0, 1.0)))
    assert hybrid.matmul_flops == adv.matmul_flops + mle.matmul_flops
    assert hybrid.optimizer_bytes == adv.optimizer_bytes


def test_fresh_batches_cost_a_sample_each():
    shared, fresh = (step_cost(model_of(2, 1.0, critic_batches=b), BATCH) for b in ("shared", "fresh"))
    assert fresh.matmul_flops - shared.matmul_flops == 2 * FLOW


@pytest.mark.parametrize("divergence", ["ce", "kl"])
def test_without_a_penalty(divergence):
    assert step_cost(model_of(1, 0.0, divergence=divergence), BATCH).matmul_flops < (
        step_cost(model_of(1, 0.0), BATCH).matmul_flops
    )


def test_real_nvp_s_convolutions():
    generator = flow_gan.RealNVP((8, 8, 3), residual_blocks=2, filters=5, scales=1)
    one = 2 * BATCH * 64 * (3 * 5 + 4 * 9 * 5 * 5 + 5 * 6)
    cost = evaluation_cost(generator)
    assert (cost.matmul_flops, cost.convolution_flops) == (0, 4 * one / BATCH)
    # A coupling passes the image's gradient on, and nothing needs that of the first one's convolution.
    step = step_cost(flow_gan.FlowGAN(generator, n_critic=0), BATCH).convolution_flops
    assert step == 12 * one - 2 * BATCH * 64 * 3 * 5


def test_a_generator_without_a_likelihood():
    generator = flow_gan.DCGAN((8, 8, 1), FILTERS)
    model = flow_gan.FlowGAN(
        generator, flow_gan.critics.two_convolutions((8, 8, 1), "wgan", FILTERS, UNITS), like_reg=0.0
    )
    flow = model_of(5, 0.0)
    dense = 2 * BATCH * SIZE * 2 * 2 * 2 * FILTERS
    conv_1, conv_2 = 2 * BATCH * 2 * 2 * 25 * 2 * FILTERS * FILTERS, 2 * BATCH * 4 * 4 * 25 * FILTERS
    # Against the same critic as a flow: forwards and to the weights, and the convolutions to their inputs, too.
    own, other = step_cost(model, BATCH), step_cost(flow, BATCH)
    assert own.matmul_flops - other.matmul_flops == 2 * dense - 3 * FLOW
    assert own.convolution_flops - other.convolution_flops == 3 * (conv_1 + conv_2)
    assert own.optimizer_bytes - other.optimizer_bytes == 28 * (weights_of(generator) - weights_of(flow.generator))


def test_seconds():
    limits = Limits(matmul_flops=10.0, convolution_flops=20.0, bandwidth=40.0, spread=1.0)
    assert Cost(30.0, 40.0, 80.0).seconds(limits) == 3 + 2 + 2

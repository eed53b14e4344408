"""What a training step has to compute: the work that no implementation can avoid."""

import dataclasses
from typing import Any

import tensorflow as tf

from flow_gan import objectives
from flow_gan.benchmark.limits import Limits
from flow_gan.generators import Generator
from flow_gan.model import FlowGAN

# Adam reads and writes the weight and its two moments, and reads the gradient.
_OPTIMIZER_BYTES = 7 * 4


@dataclasses.dataclass(frozen=True)
class Cost:
    """Necessary work.

    Attributes:
      matmul_flops: of matrix products; a multiplication and an addition count as two.
      convolution_flops: of convolutions, likewise.
      optimizer_bytes: that optimizers read and write.
    """

    matmul_flops: float = 0.0
    convolution_flops: float = 0.0
    optimizer_bytes: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __mul__(self, factor: float) -> "Cost":
        return Cost(*(factor * a for a in dataclasses.astuple(self)))

    def seconds(self, limits: Limits) -> float:
        """Return the floor: the time that only this work takes at the machine's best rates."""
        return (
            self.matmul_flops / limits.matmul_flops
            + self.convolution_flops / limits.convolution_flops
            + self.optimizer_bytes / limits.bandwidth
        )


def step_cost(model: FlowGAN, batch_size: int) -> Cost:
    """Return the `Cost` of a training step, over all replicas.

    Counted from the plain program: G(z) once per step (with critic_batches="fresh" once per update), the critic on real
    and on generated images and the penalty at each critic update, one f(x) where the likelihood is in the objective,
    one backward pass of each, and the optimizers' traffic. Gradients that are not needed are not counted.
    """
    generator: Generator = model.generator
    critic: Any = model.critic
    objective = model.objective
    images = tf.TensorSpec([batch_size, *generator.image_shape], tf.float32)
    latents = tf.TensorSpec([batch_size, generator.latent_size], tf.float32)
    weights = generator.trainable_variables

    def critic_update(real, fake):
        with tf.GradientTape() as tape:
            logits = critic(real, training=True), critic(fake, training=True)
            loss = sum(objectives.critic_loss(objective.divergence, *logits))
            if objective.has_penalty:
                loss += objectives.gradient_penalty(lambda x: critic(x, training=True), real)
        return tape.gradient(loss, critic.trainable_variables)

    def generator_update(real, z):
        adversarial: Any = None
        nll: Any = None
        with tf.GradientTape() as tape:
            if critic is not None:
                fake = generator.decode(z, training=True)
                adversarial = objectives.generator_loss(objective.divergence, critic(fake, training=True))
            if objective.has_likelihood:
                nll = -tf.reduce_mean(generator.log_prob(real, training=True))
            loss = objectives.generator_objective(adversarial, nll, objective.like_reg)
        return tape.gradient(loss, weights)

    cost = _counted(generator_update, images, latents) + _optimizer(weights)
    if critic is not None:
        update = _counted(critic_update, images, images) + _optimizer(critic.trainable_variables)
        cost += update * objective.n_critic
        if model.critic_batches == "fresh":
            cost += _counted(lambda z: generator.decode(z, training=True), latents) * objective.n_critic
    return cost


def evaluation_cost(generator: Generator) -> Cost:
    """Return the `Cost` of log p(x) of an image, or of a sample: each is one pass through the flow."""
    return _counted(generator.decode, tf.TensorSpec([1, generator.latent_size], tf.float32))


def _optimizer(variables):
    return Cost(optimizer_bytes=_OPTIMIZER_BYTES * sum(v.shape.num_elements() for v in variables))


def _counted(program, *signature):
    """Return the `Cost` of the matrix products and convolutions that the results of `program` depend on."""
    were_eager = tf.config.functions_run_eagerly()
    # So that a tf.function inside the program becomes part of its graph instead of a graph of its own.
    tf.config.run_functions_eagerly(True)
    try:
        graph = tf.function(program, autograph=False).get_concrete_function(*signature).graph
    finally:
        tf.config.run_functions_eagerly(were_eager)
    pending = [tensor.op for tensor in tf.nest.flatten(graph.outputs)]
    seen = set()
    cost = Cost()
    while pending:
        op = pending.pop()
        if op.name not in seen:
            seen.add(op.name)
            cost += _COUNTED.get(op.type, lambda op: Cost())(op)
            pending += [tensor.op for tensor in op.inputs]
    return cost


def _matmul(op):
    rows = op.outputs[0].shape.num_elements()
    inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
    return Cost(matmul_flops=2.0 * rows * inner)


def _convolution(kernel_shape, output_shape):
    height, width, channels, _ = kernel_shape
    return Cost(convolution_flops=2.0 * output_shape.num_elements() * height * width * channels)


_COUNTED = {
    "MatMul": _matmul,
    "Conv2D": lambda op: _convolution(op.inputs[1].shape, op.outputs[0].shape),
    "Conv2DBackpropInput": lambda op: _convolution(op.inputs[1].shape, op.inputs[2].shape),
    "Conv2DBackpropFilter": lambda op: _convolution(op.outputs[0].shape, op.inputs[2].shape),
}

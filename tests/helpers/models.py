"""Small models and their training in process, by Keras's `fit`."""

import keras
import numpy as np

import flow_gan
from flow_gan import data
from flow_gan.training.optimizers import Adam
from flow_gan.training.strategy import distribute

SHAPE = (4, 4, 1)
OBJECTIVES = {
    "mle": {"n_critic": 0},
    "adv": {"n_critic": 2, "like_reg": 0.0},
    "hybrid": {"n_critic": 2, "like_reg": 0.5},
}


def make_model(dtype="float32", optimizer=None, seed=0, flow="nice", **arguments):
    arguments = {"levels": 17, "n_critic": 2, "divergence": "wgan"} | arguments
    if flow == "nice":
        generator = flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=0, seed=seed, dtype=dtype)
    elif flow == "glow":
        generator = flow_gan.Glow(
            SHAPE, depth_per_scale=2, scales=1, filters=2, learned_prior=True, seed=seed, dtype=dtype
        )
    elif flow == "dcgan":
        generator = flow_gan.DCGAN(SHAPE, filters=2, seed=seed, dtype=dtype)
    else:
        # An adversarial step has many passes, which take as long to trace as they have couplings: 10 of two scales, 4
        # of one.
        scales = 1 if arguments["n_critic"] else 2
        batch_norm, _, recompute = flow.partition(", ")
        generator = flow_gan.RealNVP(
            SHAPE,
            residual_blocks=0,
            filters=2,
            scales=scales,
            batch_norm=batch_norm,
            recompute=recompute == "recompute",
            seed=seed,
            dtype=dtype,
        )
    # The initial weights are small; larger ones let a wrong gradient show.
    rng = np.random.default_rng(seed)
    for variable in generator.trainable_variables:
        variable.assign_add(0.2 * rng.normal(size=variable.shape))
    critic = None
    if arguments["n_critic"]:
        critic = flow_gan.critics.two_convolutions(
            SHAPE, arguments["divergence"], filters=3, dense_units=5, seed=seed, dtype=dtype
        )
        for variable in critic.trainable_variables:
            variable.assign_add(0.3 * rng.normal(size=variable.shape))
    model = flow_gan.FlowGAN(generator, critic, seed=seed, **arguments)
    model.initialize(images_of(400))
    make = optimizer or (lambda: Adam(1e-3))
    model.compile(make(), make())
    return model


def images_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 17, (count, *SHAPE)).astype(np.uint8)


class Logs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append({name: np.asarray(value) for name, value in logs.items()})


def run_20_steps(strategy, dtype="float64", **arguments):
    """Train by SGD on batches of 100, over all replicas; return (model, logs of the steps, its NLL)."""
    with strategy.scope():
        model = make_model(dtype, lambda: keras.optimizers.SGD(1e-3), **arguments)
    batches = distribute(strategy, lambda *part: data.training_batches(images_of(400), 100, 0, 0, 20, None, *part))
    logs = Logs()
    model.fit(batches, steps_per_epoch=20, verbose=0, callbacks=[logs], shuffle=False)
    nll = {}
    if model.generator.has_likelihood:
        # The last batch is filled up.
        batches = distribute(strategy, lambda *part: data.evaluation_batches(images_of(37), "test", 10, None, *part))
        nll = model.evaluate(batches, steps=4, verbose=0, return_dict=True)
    return model, logs.steps, nll


# Norms over the batch, activation norms and a learned prior, each with a critic.
FEW_CASES = [("hybrid", "nice"), ("hybrid", "glow")]
CASES = [*((objective, flow) for flow in ("nice", "moving") for objective in OBJECTIVES), ("hybrid", "glow")]


def train_each_case(strategy, cases):
    """Return {case: the weights and the evaluation} after 20 steps; two processes call it together."""
    found = {}
    for objective, flow in cases:
        model, logs, nll = run_20_steps(strategy, "float32", flow=flow, **OBJECTIVES[objective])
        figures = {name: float(value) for name, value in (logs[-1] | nll).items()}
        found[f"{objective} {flow}"] = [v.numpy().tolist() for v in model.weights], figures
    return found

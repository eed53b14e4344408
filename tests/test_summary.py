"""What `summary` tells: the shape of everything."""

import keras
import pytest

import flow_gan

NICE = lambda: flow_gan.NICE((8, 8, 1), 4, 0)  # noqa: E731
CRITIC = lambda: flow_gan.critics.two_convolutions((8, 8, 1), "ce", filters=2, dense_units=3)  # noqa: E731
MODELS = {
    "nice": (NICE, ["(None, 32)"] * 4),
    "real_nvp": (
        lambda: flow_gan.RealNVP((8, 8, 1), residual_blocks=0, filters=2),
        [
            f"({shape}, {shape})"
            for shape in ["(None, 8, 8, 1)"] * 3 + ["(None, 4, 4, 4)"] * 3 + ["(None, 4, 4, 2)"] * 4
        ],
    ),
    "glow": (
        lambda: flow_gan.Glow((8, 8, 1), depth_per_scale=1, filters=2),
        [
            *("((None, 4, 4, 2), (None, 4, 4, 2))", "(None, 4, 4, 4)"),
            *("((None, 2, 2, 4), (None, 2, 2, 4))", "(None, 2, 2, 8)"),
        ],
    ),
    "own networks": (
        lambda: flow_gan.NICE((8, 8, 1), coupling_network=lambda shape: keras.layers.Dense(*shape)),
        ["(None, 32)"] * 4,
    ),
    "dcgan": (lambda: flow_gan.DCGAN((8, 8, 1), filters=2), ["(None, 8, 8, 1)"]),
    "critic": (
        CRITIC,
        [
            *("(None, 4, 4, 1)", "(None, 4, 4, 1)", "(None, 2, 2, 2)", "(None, 2, 2, 2)", "(None, 2, 2, 2)"),
            *("(None, 8)", "(None, 3)", "(None, 3)", "(None, 3)", "(None, 1)"),
        ],
    ),
    "dcgan's critic": (
        lambda: keras.models.clone_model(flow_gan.critics.dcgan((8, 8, 1), filters=2)),
        [
            *(3 * ["(None, 4, 4, 2)"] + 3 * ["(None, 2, 2, 4)"] + 3 * ["(None, 1, 1, 8)"] + 3 * ["(None, 1, 1, 16)"]),
            *("(None, 16)", "(None, 1)"),
        ],
    ),
    "flow_gan": (lambda: flow_gan.FlowGAN(NICE(), CRITIC(), "ce", n_critic=1, levels=17), ["(None)", "(None, 1)"]),
    "an own critic": (
        lambda: flow_gan.FlowGAN(
            flow_gan.DCGAN((8, 8, 1), filters=2),
            keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)]),
            like_reg=0.0,
        ),
        ["(None, 8, 8, 1)", "(None, 1)"],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_row_has_a_shape(name):
    make, shapes = MODELS[name]
    lines = []
    make().summary(print_fn=lines.append)
    # A cell may be wrapped; a line follows each row.
    body = "\n".join(lines).partition("┩")[2].partition("└")[0]
    rows = [[line.split("│")[2].strip() for line in row.splitlines() if "│" in line] for row in body.split("┤")]
    assert [" ".join(row).strip() for row in rows] == shapes

"""Images that an existing run is applied to."""

import pathlib

import numpy as np

from flow_gan import data
from flow_gan.config import Config
from flow_gan.config.datasets import SPLITS
from flow_gan.errors import UserError
from flow_gan.model import FlowGAN
from flow_gan.training.load_data import load_data, resolved_shape
from flow_gan.training.output import next_free, output_folder


def require_likelihood(config: Config) -> None:
    """Raise `UserError` unless the run has the likelihood, and the inverse z = f(x), that its mode needs."""
    if not config.has_likelihood:
        raise UserError(f"--mode={config.mode} needs a likelihood, and --model_type={config.model_type} has none")


def find_images(config: Config, given: dict) -> data.ImageSet:
    """Return the images that `--images` names, or the split of the run's own data.

    Args:
      config: of the run, with what is given.
      given: {setting: value} of the command line; with a size in it, images of other sizes are resized.

    Raises:
      UserError: there are no such images, or they do not fit the run.
    """
    if config.images is None:
        dataset = load_data(config)
        return data.of_split(dataset.name, config.split, dataset.split(config.split), dataset.class_names)
    expected = data.Expected(
        shape=resolved_shape(config),
        levels=data.levels_of(config.dataset, config.levels),
        is_resized=bool(given.keys() & {"input_height", "input_width"}),
    )
    return data.open_images(config.images, expected, config.split, config.data_dir, config.validation_split)


def frames_folder(config: Config, kind: str) -> pathlib.Path:
    """Return the folder that a mode makes: `--output`, or the next free <run_dir>/<kind>/<checkpoint>-<n>.

    Raises:
      UserError: there is something.
    """
    if config.output is not None:
        return output_folder(config.output)
    return next_free(pathlib.Path(config.require_run_dir()) / kind, config.checkpoint, "")


def dequantized(model: FlowGAN, images: data.ImageSet, seed: int) -> np.ndarray:
    """Return all of the images dequantised as those of a split are, float [n, H, W, C]."""
    index = np.arange(len(images))
    split = np.full(len(images), SPLITS.index(images.split))
    batch = {"images": images.images[index], "index": index, "split": split}
    return model.draws.evaluation_images(batch, seed=seed).numpy()

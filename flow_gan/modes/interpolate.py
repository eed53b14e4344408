"""--mode=interpolate: pictures between two images, through the latent space of a run."""

import numpy as np

from flow_gan import data, evaluation, training
from flow_gan.device import full_float32
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.report.frames import FrameRow, write_frames
from flow_gan.training.output import whole
from flow_gan.training.run_config import run_config
from flow_gan.training.run_images import dequantized, find_images, frames_folder, require_likelihood


@full_float32()
def run(given: dict) -> None:
    """Write the pictures on the path between two images, with log p(x) of each.

    Raises:
      UserError: there are not two images, or not of the run's size and colour; the run has no likelihood; or the output
        cannot be made.
    """
    config = run_config(given)
    require_likelihood(config)
    path = frames_folder(config, "interpolations")
    images = find_images(config, given)
    if len(images) != 2:
        raise UserError(f"--images={config.images} has {len(images)} image{'s'[: len(images) > 1]}; expected two")
    model, _ = training.load_model(config, data.levels_of(config.dataset, config.levels))
    ends = dequantized(model, images, config.seed)
    found, log_prob = evaluation.interpolate(model.generator, ends[:1], ends[1:], config.num_frames)
    name = " to ".join(images.files)
    with whole(path) as written:
        row = FrameRow(name=name, images=found[0], log_prob=log_prob[0])
        write_frames(written, [row], "share", np.linspace(0, 1, config.num_frames).tolist(), model.levels)
    print(f"{config.num_frames} pictures on a path that is {evaluation.PATHS[config.prior]}, prior {config.prior}")
    first, last = log_prob[0, 0], log_prob[0, -1]
    print(f"log p            {first:.2f} and {last:.2f} nats at the ends, lowest {log_prob.min():.2f}")
    if not model.generator.has_per_image_likelihood:
        print(f"warning: {NO_PER_IMAGE_LIKELIHOOD}")
    print(f"folder           {path}")

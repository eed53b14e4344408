"""--mode=inpaint: fills in the pixels of images that a mask hides."""

import numpy as np

from flow_gan import data, evaluation, training
from flow_gan.device import full_float32
from flow_gan.errors import UserError
from flow_gan.report.frames import FrameRow, write_frames
from flow_gan.training.load_data import resolved_shape
from flow_gan.training.output import whole
from flow_gan.training.run_config import run_config
from flow_gan.training.run_images import dequantized, find_images, frames_folder, require_likelihood

# Largest number of images, since all of their pictures are in memory.
_MOST = 64
# Grey level of the hidden pixels in the picture of the known ones.
_GREY = 128


@full_float32()
def run(given: dict) -> None:
    """Fill in hidden pixels, and write how they changed, with log p(x) of each picture.

    Raises:
      UserError: the images or the mask are not of the run's size and colour; the run has no likelihood of single
        images, or a uniform prior; or the output cannot be made.
    """
    config = run_config(given)
    require_likelihood(config)
    path = frames_folder(config, "inpainted")
    height, width, _ = resolved_shape(config)
    assert config.mask is not None  # Checked with the mode.
    hidden = data.read_mask(config.mask, height, width)
    images = find_images(config, given)
    if len(images) > _MOST:
        raise UserError(f"--images={config.images} has {len(images)} images; expected at most {_MOST}")
    model, _ = training.load_model(config, data.levels_of(config.dataset, config.levels))
    found = evaluation.inpaint(
        model.generator,
        dequantized(model, images, config.seed),
        hidden,
        config.inpaint_method,
        config.inpaint_steps,
        config.num_frames,
        config.inpaint_leapfrog,
        config.seed,
    )
    known = np.where(hidden, np.uint8(_GREY), data.shown_levels(model.levels)[images.images[np.arange(len(images))]])
    with whole(path) as written:
        rows = [
            FrameRow(name=name, images=found.images[:, i], log_prob=found.log_prob[:, i])
            for i, name in enumerate(images.files)
        ]
        write_frames(written, rows, "step", found.steps, model.levels, known)
    how = "" if found.acceptance is None else f", acceptance {found.acceptance:.2f}"
    print(f"{len(images)} images, {hidden.sum()} of {hidden.size} pixels filled in by {config.inpaint_method}{how}")
    print(f"mean log p       {found.log_prob[0].mean():.2f} nats at first, {found.log_prob[-1].mean():.2f} at the end")
    print(f"folder           {path}")

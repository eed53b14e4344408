"""--mode=sample: a grid of samples, or any number of samples as files."""

import math

from flow_gan import data, training
from flow_gan.data.sample_files import check_channels, write_npz, write_pngs
from flow_gan.errors import UserError
from flow_gan.evaluation import Sampler
from flow_gan.training.load_data import check_grid, resolved_shape
from flow_gan.training.output import output_file, output_folder, whole
from flow_gan.training.run_config import run_config

# Largest number of pixel values in a grid; viewers do not show much larger pictures well.
_LARGEST_GRID = 2**24


def run(given: dict) -> None:
    """Draw a grid of samples of a run or, with `--output`, write them one by one.

    Raises:
      UserError: the output cannot be made, or a grid would be too large.
    """
    config = run_config(given)
    if config.output is None:
        _draw_grid(config)
    else:
        _write(config)


def _draw_grid(config):
    shape = resolved_shape(config)
    check_grid(config, shape)
    if config.num_samples * math.prod(shape) > _LARGEST_GRID:
        raise UserError(
            f"--num_samples={config.num_samples} is too many for one picture, which holds at most "
            f"{_LARGEST_GRID // math.prod(shape)} such images; expected fewer, or --output=FOLDER or --output=FILE.npz"
        )
    model, folder = training.load_model(config)
    images = model.generator.sample(config.num_samples, config.seed, config.temperature)
    name = f"{config.checkpoint}-seed-{config.seed}-temperature-{config.temperature:g}.png"
    path = folder.samples / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_png(path, data.image_grid(images))
    print(f"{config.num_samples} samples  {path}")


def _write(config):
    """Write samples as grey levels 0 to 255; with fewer levels they are spread from black to white."""
    shape = resolved_shape(config)
    is_array = config.output.lower().endswith(".npz")
    if is_array:
        path = output_file(config.output, (".npz",))
        check_channels(config.output, shape)
    else:
        path = output_folder(config.output, ", or a file whose name ends in .npz")
    levels = data.levels_of(config.dataset, config.levels)
    model, _ = training.load_model(config, levels)
    sampler = Sampler(model.generator, min(config.batch_size, config.num_samples))
    samples = sampler.batches(config.num_samples, config.seed, config.temperature)
    pixels = (data.shown_levels(levels)[data.quantize(batch, levels)] for batch in samples)
    with whole(path) as written:
        if is_array:
            write_npz(written, pixels, config.num_samples, shape)
        else:
            write_pngs(written, pixels)
    print(f"{config.num_samples} samples  {path}")

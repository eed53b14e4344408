"""--mode=sample: a grid of samples, or any number of samples as files."""

import hashlib
import math
import os

import numpy as np

from flow_gan import data, training
from flow_gan.config import Config
from flow_gan.data.sample_files import check_channels, write_npz, write_pngs
from flow_gan.errors import UserError
from flow_gan.evaluation import Sampler
from flow_gan.generators import Generator
from flow_gan.training.load_data import check_grid, resolved_shape, without_images
from flow_gan.training.output import output_file, output_folder, whole
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import read_data

# Largest number of pixel values in a grid; viewers do not show much larger pictures well.
_LARGEST_GRID = 2**24
# Bytes of a file's name, and characters of an error, that tell of labels.
_LONGEST_LABELS = 60


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
    labels = chosen_labels(config)
    if config.num_samples * math.prod(shape) > _LARGEST_GRID:
        raise UserError(
            f"--num_samples={config.num_samples} is too many for one picture, which holds at most "
            f"{_LARGEST_GRID // math.prod(shape)} such images; expected fewer, or --output=FOLDER or --output=FILE.npz"
        )
    model, folder = training.load_model(config)
    name = f"{config.checkpoint}-seed-{config.seed}-temperature-{config.temperature:g}"
    count, columns = config.num_samples, None
    if labels is not None:
        # A row for each that was chosen.
        columns = max(count // len(labels), 1)
        labels = np.repeat(labels[:count], columns)
        count = len(labels)
        name += f"-labels-{_file_name(config.labels)}"
    images = model.generator.sample(count, labels, config.seed, config.temperature)
    path = folder.samples / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_png(path, data.image_grid(images, columns))
    print(f"{count} samples{_of_labels(config)}  {path}")
    _tell_untrained(model.generator, config)


def sample_grid(generator: Generator, config: Config) -> np.ndarray:
    """Return a picture of `--num_samples` samples, uint8 [H, W, C]; of a conditional run with a row for each class."""
    if generator.num_classes is None:
        return data.image_grid(generator.sample(config.num_samples, seed=config.seed))
    labels, columns = data.class_rows(generator.num_classes, config.num_samples)
    return data.image_grid(generator.sample(len(labels), labels, config.seed), columns)


def chosen_labels(config: Config) -> np.ndarray | None:
    """Return the labels, int [n], that `--labels` names, by their numbers or as the run's data call them; None if none.

    Raises:
      UserError: the run is not conditional, or has no such class.
    """
    if config.labels is None:
        return None
    if not config.conditional:
        raise UserError(f"--labels={config.labels}, but the run {config.run_dir} is not --conditional")
    names = read_data(config.require_run_dir())["class_names"] or []
    found = []
    for name in config.labels.split(","):
        # A name counts before a number: the digits are called 0 to 9.
        number = names.index(name) if name in names else int(name) if name.isdecimal() and len(name) < 10 else -1
        if not 0 <= number < (config.num_classes or 0):
            called = f", or of {', '.join(names[:20])}" if names else ""
            raise UserError(
                f"--labels={_brief(config.labels)}: {_brief(name)!r} is no class of the run; expected numbers of 0 to "
                f"{(config.num_classes or 0) - 1}{called}"
            )
        found.append(number)
    return np.array(found)


def _of_labels(config):
    if not config.conditional:
        return ""
    return ", labels drawn from p(y)" if config.labels is None else f" of --labels={config.labels}"


def _write(config):
    """Write samples as grey levels 0 to 255; with fewer levels they are spread from black to white."""
    shape = resolved_shape(config)
    is_array = config.output.lower().endswith(".npz")
    if is_array:
        path = output_file(config.output, (".npz",))
        check_channels(config.output, shape)
    else:
        path = output_folder(config.output, ", or a file whose name ends in .npz")
    labels = chosen_labels(config)
    if labels is not None:
        labels = np.resize(labels, config.num_samples)
    levels = data.levels_of(config.dataset, config.levels)
    model, _ = training.load_model(config, levels)
    sampler = Sampler(model.generator, min(config.batch_size, config.num_samples))
    samples = sampler.batches(config.num_samples, config.seed, config.temperature, labels)
    pixels = (data.shown_levels(levels)[data.quantize(batch, levels)] for batch in samples)
    with whole(path) as written:
        if is_array:
            write_npz(written, pixels, config.num_samples, shape)
        else:
            write_pngs(written, pixels)
    print(f"{config.num_samples} samples{_of_labels(config)}  {path}")
    _tell_untrained(model.generator, config)


def _file_name(labels):
    """Return what stands for `--labels` in the name of a file: of a long text its first bytes, and a digest."""
    text = labels.replace(os.sep, "_")
    if len(os.fsencode(text)) <= _LONGEST_LABELS:
        return text
    digest = hashlib.sha256(os.fsencode(labels)).hexdigest()[:8]
    return f"{os.fsencode(text)[:_LONGEST_LABELS].decode(errors='ignore')}-{digest}"


def _brief(text):
    return text if len(text) <= _LONGEST_LABELS else f"{text[:_LONGEST_LABELS]}..."


def _tell_untrained(generator, config):
    """Tell which of the chosen classes have no training image."""
    labels = chosen_labels(config)
    if labels is not None:
        shares = np.asarray(generator.class_shares)[labels]
        names = dict.fromkeys(name for name, p in zip(config.labels.split(","), shares, strict=True) if p == 0)
        if names:
            print(f"(!) {without_images(names)}")

"""Measuring a finished run: what is printed, stored as JSON and drawn."""

import dataclasses
import time

from flow_gan import versions
from flow_gan.config import Config
from flow_gan.data import Dataset
from flow_gan.device import device_name, full_float32
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.measurement import needs, registry
from flow_gan.measurement.run import LoadedRun, file_digests
from flow_gan.training.files import write_json

_OTHER_DATA = "the data have changed since the run was trained: this result is for the data as they are now"
# Of an NLL on validation images.
_CHOSEN_BY = "these weights are those of the lowest NLL of these very images, so that other images have a higher one"


def check_metrics(config: Config, names: list[str], dataset: Dataset) -> None:
    """Raise `UserError` for the first of the metrics that this run, or these data, cannot have."""
    metrics = {name: registry.find(name) for name in names}
    for name, metric in metrics.items():
        why = metric.why_not_of_data(f"--metrics={name}", config, dataset)
        if why:
            raise UserError(why)
    chooses = any(needs.TEST_SPLIT in metric.needs for metric in metrics.values())
    counted = {"num_examples": {config.split} | ({"validation"} if chooses else set())}
    counted |= {flag: {config.split} for metric in metrics.values() for flag in metric.image_counts}
    for flag, splits in counted.items():
        asked = getattr(config, flag)
        for split in splits:
            available = len(dataset.split(split))
            if asked is not None and asked > available:
                raise UserError(f"--{flag}={asked}, but there are {available} {split} images")


def cannot_have(config: Config, name: str) -> str | None:
    """Return why a run of this configuration cannot be measured by the metric `name`, a sentence, or None."""
    return registry.find(name).why_not(f"--metrics={name}", config)


@full_float32()
def measure(run: LoadedRun, name: str) -> str:
    """Measure a run by one of the metrics; store the result in the run's `evaluation/`, and return it as text.

    In float32 products have all of its bits, also on a GPU, see `device.full_float32`.

    Args:
      run: with the settings of the evaluation, see `load`.
      name: one of those that `--metrics` takes.

    Raises:
      UserError: there is no such metric, this run or these data cannot have it, or the result cannot be written.
      NotFiniteError: what is measured is not finite.
    """
    check_metrics(run.config, [name], run.dataset)
    start = time.time()
    metric = registry.find(name)
    measured = metric.measure(run)
    paths = metric.draw(run, measured) if metric.draw else []
    result = measured.to_dict()
    text = "\n".join(filter(None, [str(measured), *map(str, paths)]))
    for warning in _warnings(run, metric):
        text += f"\nwarning: {warning}"
        result["warnings"] = [*result.get("warnings", []), warning]
    about = {
        "metric": name,
        "split": run.config.split,
        "checkpoint": run.config.checkpoint,
        "step": run.model.num_steps,
        "data_digest": run.dataset.digest,
        "seconds": time.time() - start,
        "versions": versions.installed(),
        "device": device_name(),
        "text": str(measured),
        "config": dataclasses.asdict(run.config),
        "files": file_digests(run.config, name),
    }
    try:
        write_json(run.path(name, "json"), about | result)
    except UserError:
        # What took long is not lost with the disk.
        print(text)
        raise
    return text


def _warnings(run, metric):
    """Return the warnings that hold for any metric of this run, where the metric does not give them itself."""
    found = []
    if metric.is_of_likelihood:
        if (run.config.split, run.config.checkpoint) == ("validation", "best"):
            found.append(_CHOSEN_BY)
    elif run.config.has_likelihood and not run.generator.has_per_image_likelihood:
        found.append(NO_PER_IMAGE_LIKELIHOOD)
    if run.folder.has_other_data(run.dataset.digest):
        found.append(_OTHER_DATA)
    return found

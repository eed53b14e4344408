"""The NLL taken apart into prior, log-scales and logit; of NICE for each pixel, too, with a picture."""

import pathlib

from flow_gan import evaluation
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LIKELIHOOD
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import image_figures


def measure(run: LoadedRun) -> evaluation.NLLTerms:
    """Return the terms of the NLL of the run's split."""
    split, dataset = run.config.split, run.dataset
    images = run.images(split)
    return evaluation.evaluate_nll_terms(
        run.generator,
        images,
        run.config.batch_size,
        dataset.train.images,
        len(dataset.split(split)),
        dataset.split(split).require_labels()[: len(images)] if run.config.conditional else None,
    )


def draw(run: LoadedRun, terms: evaluation.NLLTerms) -> list[pathlib.Path]:
    """Draw a map of each term over the pixels, where they are known of each."""
    if terms.per_pixel is None:
        return []
    path = run.path("nll_terms", "png")
    maps = {evaluation.TERMS[term]: values.sum(axis=-1) for term, values in terms.per_pixel.items()}
    image_figures.pixel_maps(path, maps, "nats per pixel")
    return [path]


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=("num_examples",),
    needs=(LIKELIHOOD,),
    is_of_likelihood=True,
    noun="terms of the NLL",
)

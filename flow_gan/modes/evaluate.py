"""--mode=evaluate: measures of a finished run, printed, stored as JSON and drawn."""

import dataclasses
import importlib.metadata
import json
import time

import numpy as np

from flow_gan import data, evaluation, random, training
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.report import figures
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder, check_writable, write_json

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy", "scikit-learn")

# What is recorded of a score during training.
_SCORED = ("inception_score", "inception_score_std", "mode_score", "mode_score_std", "fid")

_OTHER_DATA = "the data are not those that the run was trained on: this is of the data as they are now"

# Images of a picture's row.
_COLUMNS = 10
# Validation images by which AIS chooses its observation noise.
_SIGMA_IMAGES = 10
# Of an NLL on validation images.
_CHOSEN_BY = "these weights are those of the lowest NLL of these very images, so that other images have a higher one"
# Images whose chains AIS runs at once.
_AIS_BATCH = 50


def run(given: dict) -> None:
    """Measure a run by each of `--metrics`; print, store and draw the results.

    Raises:
      UserError: a measure that the model or the data cannot have, or more images than there are; nothing is measured
        then.
    """
    config = run_config(given)
    names = config.metrics.split(",")
    dataset = training.load_data(config)
    check_metrics(config, names, dataset)
    check_writable(RunFolder(config.run_dir, config))
    model, folder = training.load_model(config, dataset.levels)
    measured = Run(config, dataset, model, folder)
    for name in names:
        print(f"{name}, {config.split} images, checkpoint {config.checkpoint} (step {model.num_steps})")
        print(measure(measured, name))
    print(f"stored in {folder.evaluation}")


def check_metrics(config, names, dataset):
    """Raise `UserError` for the first of the measures that is not to be had."""
    for name in names:
        why = cannot_have(config, name)
        if why:
            raise UserError(why)
        if name == "scores":
            _require_labels(config, dataset, "--metrics=scores")
        if name in _CHOOSE_ON_VALIDATION and config.split != "test":
            raise UserError(
                f"--split={config.split} with --metrics={name}, which chooses on validation images and has its centres "
                "or its model from training images; expected --split=test"
            )
    splits = {config.split} | ({"validation"} if set(names) & set(_CHOOSE_ON_VALIDATION) else set())
    for flag, asked, names_of_splits in (
        ("num_examples", config.num_examples, splits),
        ("ais_images", config.ais_images if "ais" in names else None, {config.split}),
    ):
        for split in names_of_splits:
            available = len(dataset.split(split))
            if asked is not None and asked > available:
                raise UserError(f"--{flag}={asked}, but there are {available} {split} images")


def cannot_have(config, name):
    """Return why a run of this configuration cannot be measured by `name`, a sentence, or None."""
    if name in ("nll", "nll_reestimated", "nll_terms") and not config.has_likelihood:
        return f"--metrics={name} needs a likelihood, which --model_type={config.model_type} has not"
    if name == "nll_reestimated" and not (config.batch_norm and config.batch_norm_adaptive):
        return f"--metrics={name} needs batch norm with moving averages, which the run has not"
    if name == "ais" and config.prior == "uniform":
        return "--metrics=ais needs a prior on all of R^k, which --prior=uniform is not: HMC cannot turn at its edge"
    return None


def can_score(config, dataset):
    """Whether there is a classifier that judges samples: the CNN needs labels to train and to test."""
    labelled = dataset.train.labels is not None and dataset.test.labels is not None
    return config.classifier != "cnn" or labelled


def _require_labels(config, dataset, flag):
    if not can_score(config, dataset):
        raise UserError(
            f"{flag} needs labels of training and test images, which --dataset={config.dataset} has not; expected a "
            "labelled data set, or --classifier=inception_v3"
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is measured.

    Attributes:
      config: its `config.Config`.
      dataset: its `data.Dataset`.
      model: its `FlowGAN`, with the weights of `config.checkpoint`.
      folder: its `RunFolder`.
    """

    config: object
    dataset: data.Dataset
    model: object
    folder: object

    @property
    def generator(self):
        """The model's generator."""
        return self.model.generator

    def images(self, split, count=None):
        """Return the first `count` (or `--num_examples`) images of a split, dequantised as for its NLL."""
        return evaluation.dequantized_images(self.model, self.dataset, split, count or self.config.num_examples)

    def samples(self, count):
        """Return `count` samples, float [count, H, W, C]."""
        return evaluation.Sampler(self.generator, self.config.batch_size).draw(count, self.config.seed)

    def path(self, name, suffix):
        """Return the path of a result's file."""
        return result_path(self.folder, self.config, name, suffix)

    def save_grid(self, name, rows):
        """Write images [rows, columns, H, W, C] as a PNG file; return its path."""
        rows = np.asarray(rows)
        path = self.path(name, "png")
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_png(path, data.image_grid(rows.reshape(-1, *rows.shape[2:]), columns=rows.shape[1]))
        return path


def result_path(folder, config, name, suffix="json"):
    """Return where a run keeps a result: evaluation/<name>-<split>-<checkpoint>.<suffix>."""
    return folder.evaluation / f"{name}-{config.split}-{config.checkpoint}.{suffix}"


def stored_result(folder, config, name, data_digest=None):
    """Return the stored result of a metric, a dict, if it is of these settings, weights and data; otherwise None.

    Data are the same if one of the two digests is not known.
    """
    try:
        stored = json.loads(result_path(folder, config, name).read_text(encoding="utf-8"))
        config_then = stored["config"]
        same = stored["step"] == training.saved_step(folder.checkpoints, config.checkpoint)
        settings = "precision", *_DEPENDS_ON[name]
        # Without the key it is of an earlier version, which measured in other ways.
        same = same and (None in (data_digest, stored["data_digest"]) or stored["data_digest"] == data_digest)
        same = same and all(config_then[setting] == getattr(config, setting) for setting in settings)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stored if same else None


def measure(run, name):
    """Measure a run by one of the metrics, store the result, and return it as text."""
    start = time.time()
    text, result = _METRICS[name](run)
    if run.config.has_likelihood and not run.generator.has_per_image_likelihood and not name.startswith("nll"):
        # An NLL says so itself.
        text += f"\nwarning: {NO_PER_IMAGE_LIKELIHOOD}"
        result["warnings"] = [*result.get("warnings", []), NO_PER_IMAGE_LIKELIHOOD]
    if run.folder.has_other_data(run.dataset.digest):
        text += f"\nwarning: {_OTHER_DATA}"
        result["warnings"] = [*result.get("warnings", []), _OTHER_DATA]
    about = {
        "metric": name,
        "split": run.config.split,
        "checkpoint": run.config.checkpoint,
        "step": run.model.num_steps,
        "data_digest": run.dataset.digest,
        "seconds": time.time() - start,
        "versions": {package: importlib.metadata.version(package) for package in _PACKAGES},
        "config": dataclasses.asdict(run.config),
    }
    try:
        write_json(run.path(name, "json"), about | result)
    except UserError:
        # What took long is not lost with the disk.
        print(text)
        raise
    return text


def _nll(run):
    nll = evaluation.evaluate_nll(
        run.model,
        run.dataset,
        run.config.split,
        run.config.batch_size,
        run.config.noise_draws,
        run.config.num_examples,
    )
    return _with_choice(run, str(nll), nll.to_dict())


def _with_choice(run, text, result):
    """Add to an NLL's text and result the warning that its images chose the weights, where they did."""
    if (run.config.split, run.config.checkpoint) == ("validation", "best"):
        text += f"\nwarning: {_CHOSEN_BY}"
        result["warnings"] = [*result["warnings"], _CHOSEN_BY]
    return text, result


def _nll_reestimated(run):
    """The NLL with the moving averages of a pass over training images in place of the run's own."""
    images, batch_size = run.dataset.train.images, run.config.batch_size
    with training.reestimated_batch_norm_statistics(
        run.model, images, batch_size, lambda batches: evaluation.progress(batches, "moving averages")
    ):
        text, result = _nll(run)
    return f"moving averages re-estimated on training images: {text}", result


def _nll_terms(run):
    """The NLL taken apart into prior, log-scales and logit; of NICE for each pixel, too, with a picture."""
    split, dataset = run.config.split, run.dataset
    terms = evaluation.evaluate_nll_terms(
        run.generator, run.images(split), run.config.batch_size, dataset.train.images, len(dataset.split(split))
    )
    text, result = _with_choice(run, str(terms), terms.to_dict())
    if terms.per_pixel is not None:
        path = run.path("nll_terms", "png")
        maps = {evaluation.TERMS[term]: values.sum(axis=-1) for term, values in terms.per_pixel.items()}
        figures.pixel_maps(path, maps, "nats per pixel")
        text += f"\n{path}"
    return text, result


def make_judge(config, dataset):
    """Return the function from samples, float [n, H, W, C], to their `evaluation.SampleScores`.

    The classifier is trained, or taken from `--classifier_dir`, at once.
    """
    classifier = evaluation.load_classifier(config.classifier, dataset, config.classifier_dir, config.inception_weights)
    count = min(config.score_samples, len(dataset.train))
    reference = evaluation.make_reference(classifier, dataset.train, count)
    return lambda samples: evaluation.score_samples(classifier, samples, reference, config.score_splits)


def make_scorer(config, dataset):
    """Return the function from a generator to (score, {name: figure}) that scores it during training.

    It chooses weights, so its samples are others than those of any later measure.
    """
    _require_labels(config, dataset, f"--score_every={config.score_every}")
    judge, name = make_judge(config, dataset), score_name(dataset)
    samplers = {}

    def score(generator):
        if generator not in samplers:
            samplers[generator] = evaluation.Sampler(generator, config.batch_size, random.Stream.SELECTION)
        scores = judge(samplers[generator].draw(config.score_samples, config.seed))
        return getattr(scores, name), {part: getattr(scores, part) for part in _SCORED}

    return score


def _scores(run):
    """The scores of samples, and those of as many test images, which are as good as samples can be."""
    judge = make_judge(run.config, run.dataset)
    scores = judge(run.samples(run.config.score_samples))
    count = min(run.config.score_samples, len(run.dataset.test))
    ceiling = judge(data.fixed_sample(run.dataset.test.images, count)[np.arange(count)])
    name = score_name(run.dataset)
    value = evaluation.with_error(getattr(ceiling, name), getattr(ceiling, f"{name}_std"), 3)
    text = f"{scores}\n{count} test images have a {score_label(run.dataset)} of {value} and an FID of {ceiling.fid:.3f}"
    of_test = {part: getattr(ceiling, part) for part in _SCORED} | {"num_images": count}
    return text, scores.to_dict() | {"test_images": of_test}


def _gmm(run):
    """The Gaussian mixture on the training images, against the run (paper, Section 3.4)."""
    config, dataset = run.config, run.dataset
    mixture = evaluation.IsotropicMixture.of_images(dataset.train.images, dataset.levels)
    search = _search_bandwidth(run, mixture)
    sweep = {"bandwidths": search.bandwidths, "nll": search.validation_nll}
    result = search.to_dict() | {"score": score_name(dataset)}
    result |= dict.fromkeys(("run_validation_nll", "run_validation_standard_error", "run_validation_nll_per_image"))
    result |= dict.fromkeys(("run_minus_mixture", "run_minus_mixture_standard_error", "run_score", "run_score_std"))
    if config.has_likelihood:
        nll = evaluation.evaluate_nll(
            run.model, dataset, "validation", config.batch_size, num_examples=config.num_examples
        )
        result["run_validation_nll"] = nll.nats
        result["run_validation_standard_error"] = nll.nats_standard_error
        result["run_validation_nll_per_image"] = nll.nats_per_image
        # Of the same images, so that their difference is known better than either.
        differences = np.array(nll.nats_per_image) - search.validation_nll_per_image[:, : len(nll.nats_per_image)]
        pairs = [evaluation.mean_and_error(values) for values in differences]
        result["run_minus_mixture"], result["run_minus_mixture_standard_error"] = map(list, zip(*pairs, strict=True))
        result["warnings"] += [f"the run's own NLL: {warning}" for warning in nll.warnings]
    if can_score(config, dataset):
        judge, kind = make_judge(config, dataset), result["score"]

        def score(samples):
            scores = judge(samples)
            return getattr(scores, kind), getattr(scores, f"{kind}_std")

        result["run_score"], result["run_score_std"] = score(run.samples(config.score_samples))
        scores = [
            score(mixture.sample(config.score_samples, bandwidth, config.seed).numpy())
            for bandwidth in evaluation.progress(search.bandwidths, "scores of the mixture")
        ]
        result["scores"], result["scores_std"] = map(list, zip(*scores, strict=True))
        sweep["score"] = result["scores"]
    result["bandwidths_that_win"] = figures.mixture_sweep(
        run.path("gmm", "png"),
        sweep,
        f"{run.folder.path.name}, {config.checkpoint}",
        result["run_validation_nll"],
        result["run_score"],
        score_label(dataset),
        "nats",
    )
    grids = {}
    shown = {"best": search.best_bandwidth}
    if result["bandwidths_that_win"]:
        shown["winning"] = result["bandwidths_that_win"][0]
    for which, bandwidth in shown.items():
        samples = mixture.sample(_COLUMNS**2, bandwidth, config.seed).numpy()
        grids[which] = run.save_grid(f"gmm-samples-{which}", samples.reshape(_COLUMNS, _COLUMNS, *samples.shape[1:]))
    wins = result["bandwidths_that_win"]
    text = f"mixture on {search.num_centres} training images, {search}\n"
    text += (
        f"it has the lower NLL and the higher score for bandwidths {wins[0]:.3g} to {wins[-1]:.3g}\n"
        if wins
        else "no bandwidth has both the lower NLL and the higher score\n"
    )
    return text + "\n".join(str(path) for path in (run.path("gmm", "png"), *grids.values())), result


def _kde(run):
    """The Parzen window on the run's samples (paper, Table 3)."""
    search = _search_bandwidth(run, evaluation.IsotropicMixture(run.samples(run.config.kde_samples)))
    return f"Parzen window on {search.num_centres} samples, {search}", search.to_dict()


def _search_bandwidth(run, mixture, count=None):
    """Choose a mixture's bandwidth on validation images, for the first `count` images of the run's split."""
    splits = "validation", run.config.split
    available = [len(run.dataset.split(split)) for split in splits]
    return evaluation.search_bandwidth(
        mixture, run.images(splits[0]), run.images(splits[1], count), num_available=available
    )


def _ais(run):
    """AIS, and beside it the exact NLL and the Parzen window of the same images (paper, Table 3)."""
    config, generator = run.config, run.generator
    settings = evaluation.AISSettings(
        chains=config.ais_chains,
        temperatures=config.ais_temperatures,
        leapfrog_steps=config.ais_leapfrog,
        batch_size=min(config.ais_images, _AIS_BATCH),
        seed=config.seed,
    )
    short = dataclasses.replace(settings, temperatures=max(config.ais_temperatures // 10, 1))
    # What takes seconds comes before what takes minutes.
    nll = None
    if config.has_likelihood:
        nll = evaluation.evaluate_nll(
            run.model, run.dataset, config.split, config.batch_size, num_examples=config.ais_images
        )
    kde = _search_bandwidth(run, evaluation.IsotropicMixture(run.samples(config.kde_samples)), config.ais_images)
    validation = run.images("validation", min(_SIGMA_IMAGES, len(run.dataset.validation)))
    sigma = evaluation.choose_sigma(generator.decode, generator.prior, validation, settings=short)
    images = run.images(config.split, config.ais_images)
    available = len(run.dataset.split(config.split))
    ais = evaluation.evaluate_ais(generator.decode, generator.prior, images, sigma, settings, num_available=available)
    result = ais.to_dict() | {"kde": kde.to_dict(), "nll": nll and nll.to_dict()}
    text = f"AIS    {ais}\nKDE    {kde}"
    return text if nll is None else f"exact  {nll}\n{text}", result


def _jacobian(run):
    """Singular values of the generator's Jacobian (paper, Section 5.1)."""
    config = run.config
    spectrum = evaluation.jacobian_spectrum(
        run.generator, config.jacobian_draws, config.seed, run.folder.evaluation / f"jacobian-{config.checkpoint}"
    )
    path = run.path("jacobian", "png")
    figures.singular_value_cdf(path, {run.folder.path.name: spectrum.singular_values})
    return f"{spectrum}\n{path}", spectrum.to_dict()


def _pictures(run):
    """Samples, temperatures and, of a flow, reconstructions and interpolations."""
    samples = run.samples(_COLUMNS**2)
    rows = {
        "samples": samples.reshape(_COLUMNS, _COLUMNS, *samples.shape[1:]),
        "temperatures": evaluation.temperatures(run.generator, _COLUMNS, run.config.seed),
    }
    if run.config.has_likelihood:
        count = min(2 * _COLUMNS, len(run.dataset.split(run.config.split)))
        images = run.images(run.config.split, count)
        pairs = count // 2
        rows["reconstructions"] = evaluation.reconstructions(run.generator, images[:_COLUMNS])
        if pairs:
            ends = images[:pairs], images[pairs : 2 * pairs]
            rows["interpolations"] = evaluation.interpolations(run.generator, *ends)
    paths = {name: run.save_grid(name, images) for name, images in rows.items()}
    names = {name: path.name for name, path in paths.items()}
    return "\n".join(map(str, paths.values())), {"pictures": names, "temperatures": list(evaluation.TEMPERATURES)}


def score_name(dataset):
    """Return the score that the paper gives for such images: MODE for grey ones, Inception for colour."""
    return "mode_score" if dataset.image_shape[-1] == 1 else "inception_score"


def score_label(dataset):
    """Return `score_name` as people write it."""
    return {"mode_score": "MODE score", "inception_score": "Inception score"}[score_name(dataset)]


_METRICS = {
    "nll": _nll,
    "nll_reestimated": _nll_reestimated,
    "nll_terms": _nll_terms,
    "scores": _scores,
    "gmm": _gmm,
    "kde": _kde,
    "ais": _ais,
    "jacobian": _jacobian,
    "pictures": _pictures,
}
_CHOOSE_ON_VALIDATION = ("gmm", "kde", "ais")
_SCORING = ("classifier", "score_samples", "score_splits", "seed")
# The settings of an evaluation that a result depends on, besides the precision.
_DEPENDS_ON = {
    "nll": ("num_examples", "noise_draws"),
    "nll_reestimated": ("num_examples", "noise_draws", "batch_size"),
    "nll_terms": ("num_examples",),
    "scores": _SCORING,
    "gmm": ("num_examples", *_SCORING),
    "kde": ("num_examples", "kde_samples", "seed"),
    "ais": (
        *("num_examples", "kde_samples", "seed"),
        *("ais_images", "ais_chains", "ais_temperatures", "ais_leapfrog"),
    ),
    "jacobian": ("jacobian_draws", "seed"),
    "pictures": ("seed",),
}

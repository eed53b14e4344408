"""A reproduction that never ran: the files that its trainings and measures would have left."""

import dataclasses
import json
import math

import numpy as np

from flow_gan import data
from flow_gan.evaluation import JacobianSpectrum
from flow_gan.measurement import open_run, result_path
from flow_gan.reproduction.settings import ROLES, Scale
from flow_gan.training.files import write_json

# Trainings of three steps of tiny models, each measured by next to nothing.
ABSURD = Scale(
    steps=dict.fromkeys(ROLES, 3),
    num_seeds=1,
    eval_every=1,
    score_every=1,
    evaluation={
        "score_samples": 30,
        "score_splits": 3,
        "kde_samples": 20,
        "jacobian_draws": 2,
        "ais_images": 2,
        "ais_chains": 2,
        "ais_temperatures": 3,
        "ais_leapfrog": 1,
    },
    of_metric={"gmm": {"num_examples": 20}},
    flow={"hidden_layers": 8, "no_of_layers": 0, "df_dim": 2},
    implicit={"filters": 2, "df_dim": 2, "critic": "mnist"},
)

# Each two steps after the one before, so that train is below validation by 1, 2, ...
VALIDATIONS = 6
SIZES = {"digits": (8, 8, 1), "cifar10": (8, 8, 3)}
LEVELS = {"digits": 17, "cifar10": 256}
# NLL in nats and score of each role, in the order that the paper finds on its grey images.
NUMBERS = {
    "mle": (-80.0, 5.0),
    "adv": (40.0, 5.5),
    "hybrid": (-85.0, 6.0),
    "dcgan_wgan": (None, 5.2),
    "dcgan_ce": (None, 4.0),
    "adv_plain": (40.0, 5.5),
    "adv_column": (60.0, 5.0),
    "adv_released": (90.0, 4.5),
    "adv_no_norm": (30.0, 4.0),
}


def numbers(role):
    """Return (NLL in nats, score) of a role: its own, or those of the place of its lambda between ADV and MLE."""
    if role in NUMBERS:
        return NUMBERS[role]
    own = NUMBERS["adv"][0] - 12 * (3 + np.log10(float(role.split("_")[1])))
    return own, 5.4 - own / 1000


def dataset(name):
    """Return a data set of a few images without anything in them."""
    images = np.zeros((20, *SIZES[name]), np.uint8)
    split = data.Split(images, np.zeros(20, np.int64))
    return data.Dataset(
        name=name, image_shape=SIZES[name], levels=LEVELS[name], train=split, validation=split, test=split
    )


def leave_training(training, nll):
    """Write what a training leaves: its configuration, records, and the names of its checkpoints."""
    config, folder = training.config, training.folder
    height, width, channels = SIZES[config.dataset]
    folder.mkdir(parents=True)
    resolved = dataclasses.replace(config, input_height=height, input_width=width, c_dim=channels)
    (folder / "config.json").write_text(resolved.to_json())
    for which in ("latest", "best_score", *(["best"] if config.has_likelihood else [])):
        checkpoint = folder / "checkpoints" / which
        checkpoint.mkdir(parents=True)
        (checkpoint / f"ckpt-{config.max_steps}.index").touch()
    lines = []
    for step in range(1, 2 * VALIDATIONS + 1):
        record = {"step": step, "mode_score": 3.0, "inception_score": 3.0} if step % 2 == 0 else {"step": step}
        record |= {"mode_score_std": 0.1, "inception_score_std": 0.1} if step % 2 == 0 else {}
        if config.n_critic:
            record |= {
                "critic_loss_real": -step,
                "critic_loss_fake": step + 0.1 * (-1) ** step,
                "critic_loss": float(step),
            }
        if config.has_likelihood:
            rise = step if config.objective == "adv" else -step
            record |= {"nll": -999.0}
            if step % 2 == 0:
                record |= {"train_nll": nll + rise - 0.5 * step, "train_nll_standard_error": 0.3}
                record |= {"validation_nll": nll + rise, "validation_nll_standard_error": 0.4}
        lines.append(json.dumps(record))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def per_image(mean, standard_error=1.0):
    """Return values of 20 images with a mean and its standard error, the same images being hard for every model."""
    values = np.linspace(-1, 1, 20)
    return (mean + standard_error * math.sqrt(20) * values / np.std(values, ddof=1)).tolist()


def authenticity(share):
    """Return what is stored of the authenticity of 100 images in pixels or in features."""
    return {"authenticity": share, "standard_error": 0.01, "num_images": 100, "median_distance": 1.0}


def result_of(metric, nll, score, size, levels):
    """Return the stored result of a measure, a dict."""
    if metric in ("nll", "nll_reestimated"):
        checks = {"finite_fraction": 1.0, "round_trip_largest": 1e-7, "batch_dependence": 0.0, "rounding": 1e-5}
        return {
            "nats": nll,
            "nats_standard_error": 0.5,
            "num_images": 20,
            "num_available": 20,
            "checks": checks,
            "bits_per_dim": data.bits_per_dim(nll, size, levels),
            "bits_per_dim_standard_error": 0.01,
            "nats_per_image": per_image(nll, 0.5),
            "warnings": [],
        }
    if metric == "scores":
        return {
            "mode_score": score,
            "mode_score_std": 0.1,
            "inception_score": score,
            "inception_score_std": 0.1,
            "fid": 12.0,
            "splits": 10,
            "num_samples": 100,
            "classifier": "judge",
            "classifier_test_accuracy": 0.9,
            "note": "note",
            "test_images": {
                "mode_score": 9.9,
                "mode_score_std": 0.1,
                "inception_score": 9.8,
                "inception_score_std": 0.1,
                "fid": 3.0,
            },
        }
    if metric == "kid":
        own = {"kid": 1 / score, "kid_std": 0.01, "subsets": 4, "subset_size": 10}
        real = own | {"kid": 0.0, "num_images": 20}
        return own | {"num_samples": 20, "num_test": 20, "classifier": "judge", "training_images": real}
    if metric == "prdc":
        real = {"precision": 0.9, "recall": 0.8, "density": 1.0, "coverage": 0.95, "neighbours": 5}
        own = real | {"precision": score / 10, "coverage": score / 12}
        return own | {"num_images": 20, "classifier": "judge", "training_images": real}
    if metric == "gmm":
        return {
            "bandwidths": [0.1, 1.0],
            "validation_nll": [-30.0, 10.0],
            "scores": [8.0, 2.0],
            "best_bandwidth": 0.1,
            "best_validation_nll": -30.0,
            "best_validation_standard_error": 1.0,
            "warnings": [],
            "best_test_nll": -31.0,
            "best_test_standard_error": 1.0,
            "num_centres": 20,
            "num_validation": 20,
            "num_available": [20, 20],
            "run_validation_nll": nll,
            "run_validation_standard_error": 1.0,
            "run_score": score,
            "run_score_std": 0.1,
            "scores_std": [0.1, 0.1],
            "bandwidths_that_win": [0.1],
            "run_minus_mixture": [nll + 30, nll - 10],
            "run_minus_mixture_standard_error": [0.5, 0.5],
        }
    if metric == "ais":
        part = {"warnings": []}
        return part | {
            "nll": part | {"nats": nll, "nats_standard_error": 1.0, "nats_per_image": per_image(nll)},
            "kde": part
            | {
                "best_test_nll": -nll,
                "best_test_standard_error": 1.0,
                "best_test_nll_per_image": per_image(-nll),
            },
            "nats": nll / 2,
            "nats_standard_error": 1.0,
            "log_prob": per_image(-nll / 2),
            "gap": {"nats": 0.5, "standard_error": 0.1},
            "converged": True,
            "acceptance": 0.6,
            "sigma": 0.1,
            "num_images": 20,
            "num_available": 20,
            "settings": {"chains": 4, "temperatures": 10},
        }
    if metric == "jacobian":
        spread = 1.0 if nll is None or nll < 0 else 4.0
        values = np.exp(spread * np.linspace([-1, -1.1], [-3, -3.1], 6).T)
        logs = np.log(values).sum(1).tolist()
        spectrum = JacobianSpectrum(
            singular_values=values.tolist(),
            condition_numbers=[10.0, 20.0],
            log_determinants=logs,
            flow_log_determinants=None if nll is None else logs,
            seed=0,
        )
        return spectrum.to_dict() | {"condition_numbers": [10.0, None]}
    if metric == "memorisation":
        parts = {"samples": 0.55, "test_images": 0.5, "mixture": 0.01}
        parts = {name: dict.fromkeys(("pixels", "features"), authenticity(share)) for name, share in parts.items()}
        mixture = {"mixture": parts["mixture"] | {"bandwidth": 0.07}, "classifier": "judge"}
        return parts["samples"] | {"test_images": parts["test_images"]} | mixture
    return {}


def leave_all(plan, journal, change=lambda role, seed, metric, result: result, failed=()):
    """Write what a whole reproduction leaves.

    Args:
      plan: `plan.Plan`.
      journal: `journal.Journal`.
      change: function (role, seed, metric, result) to the result that is stored, or a str, why the measure failed.
      failed: {(role, seed)}, trainings that left no weights.
    """
    roles = {}
    for (role, seed), training in plan.roles.items():
        roles.setdefault(training.key, (role, seed))
    for training in plan.trainings:
        journal.record(training.key, training.title, 2.0, done=True)
        if roles[training.key] in failed:
            journal.fail(training.key, "step 2: nll is nan")
            training.folder.mkdir(parents=True)
        else:
            leave_training(training, numbers(roles[training.key][0])[0] or 0.0)
    for stage in plan.stages:
        journal.record(stage.key, stage.title, 1.0, done=True)
        for measurement in stage.measurements:
            role, seed = roles[measurement.training.key]
            if (role, seed) not in failed:
                _leave_result(measurement, role, seed, change, journal)


def _leave_result(measurement, role, seed, change, journal):
    training = measurement.training
    run = open_run(training.folder, {k: v for k, v in measurement.settings.items() if v is not None})
    config = run.configured(measurement.metric, None if measurement.checkpoint == "chosen" else "latest")
    nll, score = numbers(role)
    size, levels = int(np.prod(SIZES[config.dataset])), LEVELS[config.dataset]
    result = change(
        role, seed, measurement.metric, result_of(measurement.metric, nll, score + 0.01 * seed, size, levels)
    )
    if isinstance(result, str):
        journal.fail(measurement.failure_key(config.checkpoint), result)
        return
    about = {"data_digest": None, "step": config.max_steps, "checkpoint": config.checkpoint, "versions": {"numpy": "2"}}
    write_json(
        result_path(run.folder, config, measurement.metric), about | result | {"config": dataclasses.asdict(config)}
    )
    grid = data.image_grid(np.zeros((4, *SIZES[config.dataset]), np.float32))
    for name in {
        "pictures": ["samples"],
        "gmm": ["gmm-samples-best", "gmm-samples-winning"],
        "memorisation": ["memorisation"],
    }.get(measurement.metric, []):
        data.save_png(result_path(run.folder, config, name, "png"), grid)

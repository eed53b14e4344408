"""What is measured of a model."""

import dataclasses
import functools
import pathlib
import pkgutil

from flow_gan.config.setting import EXISTING_RUN, Section, setting
from flow_gan.errors import UserError, check_choice

# The names of the files in `flow_gan/metrics/`; none of them is imported here.
_METRICS_FOLDER = pathlib.Path(__file__).parents[1] / "metrics"
METRICS = tuple(sorted(file.name for file in pkgutil.iter_modules([str(_METRICS_FOLDER)])))
CLASSIFIERS = ("cnn", "inception_v3")

_setting = functools.partial(setting, changes_in=("evaluate", "compare"), identifies=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Section):
    """What is measured of a model."""

    TITLE = "Evaluation"

    metrics: str = _setting(
        "nll", f"what --mode=evaluate measures, separated by commas: {', '.join(METRICS)}", is_list=True
    )
    num_examples: int | None = _setting(
        None, "measure only the first images of the split, this many; all if not given. The result says so", at_least=1
    )
    noise_draws: int = _setting(
        1,
        "draws of the dequantisation noise for each image; with 2 or more also the importance-weighted bound",
        at_least=1,
    )
    classifier: str = _setting(
        "cnn",
        "classifier that scores samples: cnn, a small network, trained once on the data set's labels; inception_v3, "
        "trained on ImageNet; or a model of your own, a .keras file or the folder of a SavedModel (with a / in its "
        "path). It takes images [n, H, W, C] of the data set's size in [0, 1], and gives class logits or probabilities "
        "[n, K] and features [n, F]; with one output, the features of a Keras model are the input of its last layer "
        "with weights",
        changes_in=("evaluate", "compare", "reproduce"),
        is_path=True,
        identifies=True,
    )
    classifier_dir: str = _setting(
        "runs/classifiers",
        "folder that keeps trained classifiers",
        changes_in=(*EXISTING_RUN, "compare", "reproduce"),
        is_path=True,
    )
    inception_weights: str | None = _setting(
        None,
        "file of Inception's weights: classify_image_graph_def.pb of inception-2015-12-05.tgz, the network of "
        "published scores, or weights of Keras's InceptionV3, which are downloaded if not given",
        changes_in=(*EXISTING_RUN, "compare", "reproduce"),
        is_path=True,
    )
    fid_statistics: str | None = _setting(
        None,
        "measure the FID against the statistics in this file instead of training images: a .npz file of mu and sigma, "
        "in the format of pytorch-fid and torch-fidelity, of the features of the same network",
        changes_in=("train", "evaluate", "compare"),
        is_path=True,
    )
    score_samples: int = _setting(10_000, "number of samples to score", at_least=2, identifies=True)
    score_splits: int = _setting(
        10,
        "parts into which these samples are split; a score is the mean and standard deviation over the parts",
        at_least=1,
        identifies=True,
    )
    score_every: int = _setting(
        0,
        "epochs between scores of samples during training; the weights of the highest score are kept as the checkpoint "
        "best_score. 0: never",
        at_least=0,
        changes_in=(),
        identifies=True,
    )
    kid_subsets: int = _setting(100, "random subsets over which KID's mean and deviation are taken", at_least=1)
    kid_subset_size: int | None = _setting(
        None, "images of a subset; if not given 1000, or half of the images where they are fewer than 2000", at_least=2
    )
    prdc_neighbours: int = _setting(
        5,
        "nearest neighbours up to which the ball around an image reaches, in precision, recall, density and coverage",
        at_least=1,
    )
    kde_samples: int = _setting(10_000, "KDE: samples at which the Parzen window has its kernels", at_least=1)
    ais_images: int = _setting(
        50, "number of images whose likelihood is estimated by annealed importance sampling (AIS)", at_least=1
    )
    ais_chains: int = _setting(4, "AIS: chains per image", at_least=1)
    ais_temperatures: int = _setting(1000, "AIS: temperatures, the steps from the prior to the posterior", at_least=1)
    ais_leapfrog: int = _setting(5, "AIS: leapfrog steps of the Hamiltonian transition at each temperature", at_least=1)
    jacobian_draws: int = _setting(64, "samples z at which the generator's Jacobian is decomposed", at_least=1)

    ood_dataset: str | None = _setting(
        None,
        "what --metrics=ood tells from the run's images: a folder of images, image files separated by commas, a .npy "
        "or a .npz file, or a data set by its name, of which --split is taken. All but the arrays are resized to the "
        "run's images",
        is_path=True,
        is_list=True,
    )

    def check(self) -> None:
        """Raise `UserError` for an unknown metric, or more splits than samples."""
        for metric in self.metrics.split(","):
            check_choice("--metrics", metric, METRICS)
        check_classifier_name("--classifier", self.classifier)
        if self.score_splits > self.score_samples:
            raise UserError(
                f"--score_splits={self.score_splits}; expected at most --score_samples={self.score_samples}"
            )


def is_own_classifier(name: str) -> bool:
    """Whether a classifier is a model of the user's own: the path of a .keras file, or one with a /."""
    return name.endswith(".keras") or "/" in name


def check_classifier_name(setting_name: str, name: str) -> None:
    """Raise `UserError` unless `name`, the setting called `setting_name`, is one of `CLASSIFIERS` or a path."""
    if name not in CLASSIFIERS and not is_own_classifier(name):
        raise UserError(
            f"{setting_name}={name!r} is unknown; expected one of: {', '.join(CLASSIFIERS)}, or a model of your own: a "
            f".keras file, or the folder of a SavedModel as ./{name}"
        )

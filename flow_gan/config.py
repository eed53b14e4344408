"""Every setting of a run in one place: its default, its validation and its command-line flag.

Names are those of the flags. Settings that the original release has keep its names.
"""

import dataclasses
import json
import os
import textwrap

import numpy as np
from absl import flags

from flow_gan.data import NAMED_DATASETS, VALIDATION_SPLITS, canonical_name
from flow_gan.errors import UserError, brief, check_choice, home_expanded
from flow_gan.evaluation.classifier import CLASSIFIERS
from flow_gan.generators import PRIORS
from flow_gan.model import BATCH_NORM_UPDATES, CRITIC_BATCHES
from flow_gan.networks.critics import CRITICS
from flow_gan.networks.initializers import INITIALIZERS
from flow_gan.networks.precision import PRECISIONS
from flow_gan.objectives import DIVERGENCES, GRADIENT_PENALTY_NORMS
from flow_gan.training.strategy import STRATEGIES

MODES = ("train", "evaluate", "compare", "reproduce", "sample", "export")
MODEL_TYPES = ("nice", "real_nvp", "dcgan")
CHECKPOINTS = ("best", "best_score", "latest")
SPLITS = ("train", "validation", "test")
LR_SCHEDULES = ("exponential", "cosine")
METRICS = ("nll", "nll_reestimated", "nll_terms", "scores", "gmm", "kde", "ais", "jacobian", "pictures")
# How much of the paper --mode=reproduce computes.
SCALES = ("tiny", "small", "overnight", "full")
REPRODUCED_DATASETS = ("digits", "mnist", "cifar10")


def _setting(default, group, text, choices=None):
    return dataclasses.field(default=default, metadata={"group": group, "help": text, "choices": choices})


@dataclasses.dataclass(frozen=True)
class Config:
    """The effective configuration of a run. See `--help` for what each setting means."""

    mode: str = _setting(
        "train",
        "What to do",
        "train a model and evaluate it on the test images; evaluate a finished run (--run_dir) by --metrics; compare "
        "several (--run_dirs) in the paper's tables and figures; reproduce the paper: train its models and write a "
        "report with all of its tables and figures; draw samples from a run; or export one as a SavedModel",
        MODES,
    )
    run_dir: str | None = _setting(
        None,
        "What to do",
        "folder of the run. Train: made anew, by default <runs_dir>/<dataset>_<model>_<objective>-<n>. "
        "Evaluate, sample, export, --resume: an existing one. Reproduce: made, or gone on with, by default "
        "<runs_dir>/reproduce_<dataset>_<scale>",
    )
    scale: str = _setting(
        "tiny",
        "What to do",
        "of --mode=reproduce. tiny: to see that everything works (digits: some 20 minutes on 2 cores); small: models "
        "that have learnt something (digits with 3 seeds, MNIST, CIFAR-10: two to two and a half hours); overnight: "
        "what ten hours buy (MNIST, CIFAR-10); full: the paper's sizes and the original README's numbers of steps, for "
        "a GPU (digits: hours on a CPU). The report states each training's steps",
        SCALES,
    )
    num_seeds: int | None = _setting(
        None,
        "What to do",
        "of --mode=reproduce: every training is made with so many seeds, from --seed on; if not given 3 for digits at "
        "small and full, else 1",
    )
    run_dirs: str | None = _setting(None, "What to do", "folders of the runs that --mode=compare takes, with commas")
    runs_dir: str = _setting("runs", "What to do", "folder in which new runs are made")
    resume: bool = _setting(False, "What to do", "go on with the run --run_dir from its latest checkpoint")
    checkpoint: str = _setting(
        "best",
        "What to do",
        "which weights to evaluate, sample, export or take by --init_from_run: those of the lowest validation NLL (for "
        "dcgan, which has none, the latest), of the highest sample score (--score_every), or the latest",
        CHECKPOINTS,
    )
    split: str = _setting("test", "What to do", "images that --mode=evaluate uses", SPLITS)
    num_samples: int = _setting(64, "What to do", "images in a sample grid")
    temperature: float = _setting(1.0, "What to do", "scale of z in --mode=sample")
    export_dir: str | None = _setting(
        None, "What to do", "folder that --mode=export makes; <run_dir>/export/<checkpoint> if not given"
    )

    dataset: str = _setting(
        "digits",
        "Data",
        f"{', '.join(NAMED_DATASETS)}, any other name of tensorflow_datasets (NAME or NAME/CONFIG, either with "
        ":VERSION) whose examples have an image, or the path of a folder of images, a .npy or a .npz file; "
        "names may be in capitals, and cifar is cifar10",
    )
    data_dir: str | None = _setting(
        None, "Data", "tensorflow_datasets folder of the public data sets; its usual folder if not given"
    )
    validation_split: str = _setting(
        "released",
        "Data",
        "which training images of the named public data sets validate: for cifar10 those of the release, the first 500 "
        "of each class (svhn_cropped likewise), for mnist and fashion_mnist the last 10,000; or as many at random, "
        "always the same ones",
        VALIDATION_SPLITS,
    )
    horizontal_flip: bool | None = _setting(
        None,
        "Data",
        "flip training images left to right at random (--nohorizontal_flip: never); if not given, those of cifar10 "
        "alone, as released",
    )
    levels: int | None = _setting(None, "Data", "grey levels of a folder's or a file's images; 256 if not given")
    input_height: int | None = _setting(
        None,
        "Data",
        "image height in pixels: public data sets are resized to it, other data must have it; the data's if not given",
    )
    input_width: int | None = _setting(
        None, "Data", "image width in pixels, likewise; the same as a given height if not given"
    )
    c_dim: int | None = _setting(None, "Data", "channels per image, checked against the data; the data's if not given")

    model_type: str = _setting(
        "nice",
        "Generator",
        "a flow, or dcgan, which has no likelihood and is trained with --like_reg=0 alone",
        MODEL_TYPES,
    )
    hidden_layers: int = _setting(
        384, "Generator", "units per hidden layer of a coupling network of NICE (the release's name for the width)"
    )
    no_of_layers: int = _setting(
        1,
        "Generator",
        "NICE: hidden-to-hidden layers of a coupling network, besides its input and output layer; Real-NVP: residual "
        "blocks of a coupling network",
    )
    filters: int = _setting(
        64,
        "Generator",
        "channels in Real-NVP's coupling networks, 64 in the release; in DCGAN before the last convolution, and 2, 4, "
        "... times as many before those",
    )
    scales: int = _setting(2, "Generator", "scales of Real-NVP; each but the last halves height and width")
    prior: str = _setting("logistic", "Generator", "density of z", tuple(PRIORS))
    alpha: float = _setting(1e-7, "Generator", "squeeze of the pixels before the logit, between 0 and 0.5")
    init_type: str = _setting(
        "normal", "Generator", "first weights of NICE; Real-NVP's are xavier, DCGAN's normal", tuple(INITIALIZERS)
    )
    batch_norm_adaptive: int = _setting(
        1,
        "Generator",
        "batch norm of Real-NVP: 1 moving averages in evaluation; 0 the batch's own statistics, in evaluation too, so "
        "that no NLL is a per-image likelihood. The others have one kind, moving averages",
    )
    batch_norm: bool = _setting(
        True, "Generator", "batch norm in the coupling networks of NICE and Real-NVP; --nobatch_norm leaves it out"
    )
    batch_norm_updates: str = _setting(
        "objective",
        "Generator",
        "what moves the batch norms' averages: each pass that the objective needs, once, or as released, the "
        "sampling pass n_critic + 1 times and the likelihood's once",
        BATCH_NORM_UPDATES,
    )

    init_from_original: str | None = _setting(
        None,
        "Generator",
        "first weights, of the critic too, from a TensorFlow 1 checkpoint of the original release: the prefix of its "
        "files, or their folder. A resumed run has its own",
    )

    init_from_run: str | None = _setting(
        None,
        "Generator",
        "initial weights from another run, which this one fine-tunes: the generator's, of the same flags, and the "
        "critic's where it is the same; --checkpoint says which of its weights. Optimizers and steps start anew. A "
        "resumed run has its own",
    )

    n_critic: int = _setting(5, "Objective", "critic updates per generator update; 0 is maximum likelihood (MLE)")
    like_reg: float = _setting(
        1.0,
        "Objective",
        "lambda: the objective is V / lambda + NLL; 0 is purely adversarial (ADV)",
    )
    f_div: str = _setting("wgan", "Objective", "divergence that the critic estimates", DIVERGENCES)
    reg: float = _setting(10.0, "Objective", "weight of the gradient penalty (wgan)")
    gradient_penalty_norm: str = _setting(
        "image",
        "Objective",
        "norm in the penalty: of an image's whole gradient, or per column, as released",
        GRADIENT_PENALTY_NORMS,
    )
    critic: str = _setting(
        "auto",
        "Objective",
        "critic network; auto is mnist for one channel, dcgan for more",
        ("auto", *CRITICS),
    )
    df_dim: int = _setting(64, "Objective", "filters of the critic's first full convolution")
    critic_batches: str = _setting(
        "shared",
        "Objective",
        "one batch and one z for all updates of a step, as released, or fresh ones for each",
        CRITIC_BATCHES,
    )

    epoch: int = _setting(58, "Training", "passes over the training images")
    max_steps: int | None = _setting(None, "Training", "generator updates; overrides --epoch")
    batch_size: int = _setting(100, "Training", "images per batch, over all replicas")
    learning_rate: float = _setting(1e-3, "Training", "Adam's first rate, generator and critic")
    critic_learning_rate: float | None = _setting(
        None, "Training", "the critic's own first rate; --learning_rate if not given"
    )
    log_scale_rate: float = _setting(
        1.0,
        "Training",
        "factor of the learning rate for a flow's log-scales: NICE's diagonal, the two scalars of each Real-NVP "
        "coupling. Adam moves a weight by about the rate in a step, and NICE's volume changes by the diagonal alone",
    )
    beta1: float = _setting(0.5, "Training", "Adam's beta1, generator and critic")
    beta2: float = _setting(0.9, "Training", "Adam's beta2, generator and critic")
    lr_schedule: str = _setting(
        "exponential",
        "Training",
        "how the rates fall: by --lr_decay after every step, as released, or along half a cosine that ends at --min_lr "
        "after --max_steps, which must be given (a run that is resumed with other --max_steps follows their cosine)",
        LR_SCHEDULES,
    )
    lr_decay: float = _setting(0.997, "Training", "factor of the rate after every step, with --lr_schedule=exponential")
    min_lr: float = _setting(0.0, "Training", "lowest rate")
    warmup_steps: int = _setting(0, "Training", "steps over which the rates grow linearly to where the schedule is")
    clip_norm: float | None = _setting(
        None,
        "Training",
        "largest norm of the gradient of the generator, and of the critic, over all weights: a longer one is scaled "
        "down to it; never if not given",
    )
    ema_decay: float = _setting(
        0.0,
        "Training",
        "validate, score, sample and keep averaged weights of the generator, avg <- ema_decay avg + (1 - ema_decay) "
        "weights after every step, with batch norm's statistics re-estimated for them; 0.999 is about the last 1,000 "
        "steps. 0: the weights themselves",
    )
    seed: int = _setting(0, "Training", "from which all randomness derives")
    strategy: str = _setting(
        "auto",
        "Training",
        "one_device; mirrored over all visible GPUs; auto, the one or the other by what there is; or multi_worker, "
        "over the machines that the environment variable TF_CONFIG lists, with a run folder that all of them see",
        STRATEGIES,
    )
    data_on_device: bool = _setting(
        False,
        "Training",
        "keep all training images in the memory of each GPU, so that a step takes only their numbers from the host",
    )
    precision: str = _setting(
        "float32",
        "Training",
        "of the networks' matrix products and convolutions; weights, norms, densities, log-determinants and the "
        "penalty are float32 in any case",
        PRECISIONS,
    )
    deterministic_ops: bool = _setting(
        False,
        "Training",
        "use deterministic operations alone, which a resumed run on GPUs needs to end bit for bit as one that was "
        "never stopped; on CPUs it does so in any case",
    )
    jit_compile: bool = _setting(False, "Training", "compile the whole training step with XLA")
    gpu_nr: int | None = _setting(
        None, "Training", "use this GPU alone, counted from 0; ignored on a machine without any"
    )

    metrics: str = _setting("nll", "Evaluation", f"what --mode=evaluate measures, with commas: {', '.join(METRICS)}")
    num_examples: int | None = _setting(
        None, "Evaluation", "use the first images of the split alone; all if not given. The result says so"
    )
    noise_draws: int = _setting(
        1,
        "Evaluation",
        "draws of the dequantisation noise for each image; from two on the importance-weighted bound is reported too",
    )
    classifier: str = _setting(
        "cnn",
        "Evaluation",
        "what scores samples: a small network, trained once on the data set's labels, or Keras's InceptionV3",
        CLASSIFIERS,
    )
    classifier_dir: str = _setting("runs/classifiers", "Evaluation", "folder that keeps trained classifiers")
    inception_weights: str | None = _setting(
        None, "Evaluation", "file of InceptionV3's weights; downloaded by Keras if not given"
    )
    score_samples: int = _setting(10_000, "Evaluation", "samples that are scored")
    score_splits: int = _setting(10, "Evaluation", "parts of them, over which a score's mean and deviation are taken")
    score_every: int = _setting(
        0,
        "Evaluation",
        "epochs between scores of samples during training; the weights of the highest score are kept as the checkpoint "
        "best_score. 0: never",
    )
    kde_samples: int = _setting(10_000, "Evaluation", "samples around which the Parzen window is laid")
    ais_images: int = _setting(50, "Evaluation", "images whose likelihood annealed importance sampling estimates")
    ais_chains: int = _setting(4, "Evaluation", "its chains per image")
    ais_temperatures: int = _setting(1000, "Evaluation", "its steps from the prior to the posterior")
    ais_leapfrog: int = _setting(5, "Evaluation", "leapfrog steps of the Hamiltonian transition at each temperature")
    jacobian_draws: int = _setting(64, "Evaluation", "samples z at which the generator's Jacobian is decomposed")

    eval_every: int = _setting(100, "Recording", "steps between validations, each with a checkpoint and a sample grid")
    log_every: int = _setting(
        50,
        "Recording",
        "steps between writes to TensorBoard (and metrics.jsonl, at most), and between the NLLs of ADV's batches",
    )
    checkpoint_dir: str | None = _setting(
        None, "Recording", "folder of the checkpoints; <run_dir>/checkpoints if not given"
    )
    log_dir: str | None = _setting(
        None, "Recording", "folder of TensorBoard's events; <run_dir>/tensorboard if not given"
    )
    sample_dir: str | None = _setting(None, "Recording", "folder of sample grids; <run_dir>/samples if not given")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _plain(field, getattr(self, field.name)))
        object.__setattr__(self, "dataset", canonical_name(self.dataset))
        for name in _LISTS:
            if getattr(self, name) is not None:
                parts = (part.strip() for part in getattr(self, name).split(","))
                if name == "run_dirs":
                    parts = (home_expanded("--run_dirs", part) for part in parts)
                object.__setattr__(self, name, ",".join(parts))
        for name in _PATHS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, home_expanded(f"--{name}", getattr(self, name)))
        for field in dataclasses.fields(self):
            if field.metadata["choices"]:
                check_choice(f"--{field.name}", getattr(self, field.name), field.metadata["choices"])
            if type(getattr(self, field.name)) is int and getattr(self, field.name) >= _TOO_LARGE:
                raise UserError(f"--{field.name}={getattr(self, field.name)}; expected less than 2^31")
        for name, lowest in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value < float("inf"):
                raise UserError(f"--{name}={value}; expected {lowest} or more")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"--{name}={value}; expected more than 0")
        if not 0 < self.alpha < 0.5:
            raise UserError(f"--alpha={self.alpha}; expected more than 0 and less than 0.5")
        for name in ("beta1", "beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"--{name}={getattr(self, name)}; expected 0 or more and less than 1")
        if not 0 < self.lr_decay <= 1:
            raise UserError(f"--lr_decay={self.lr_decay}; expected more than 0 and at most 1")
        if self.levels is not None and self.levels > 256:
            raise UserError(f"--levels={self.levels}; expected at most 256")
        if self.init_from_run is not None and self.init_from_original is not None:
            raise UserError(
                f"--init_from_run={self.init_from_run} and --init_from_original={self.init_from_original}; expected one"
            )
        if self.lr_schedule == "cosine" and self.max_steps is None and self.mode != "reproduce":
            raise UserError("--lr_schedule=cosine needs --max_steps, the step at which the rate has come to --min_lr")
        if self.min_lr > self.learning_rate:
            raise UserError(f"--min_lr={self.min_lr}; expected at most --learning_rate={self.learning_rate}")
        if self.prior == "uniform" and self.objective != "adv":
            raise UserError(
                "--prior=uniform has density 0 outside [-1, 1]^D, where the NLL of images is infinite; expected "
                "--like_reg=0 and --n_critic > 0 (ADV) with it, or another prior"
            )
        for name, model_types in _ONLY_FOR.items():
            value = getattr(self, name)
            if self.model_type not in model_types and value != Config.__dataclass_fields__[name].default:
                raise UserError(
                    f"--{name}={value} is for --model_type={' or '.join(model_types)}, not {self.model_type}; "
                    "leave the flag out"
                )
        if self.batch_norm_adaptive not in (0, 1):
            raise UserError(f"--batch_norm_adaptive={self.batch_norm_adaptive}; expected 0 or 1")
        if not self.batch_norm and self.batch_norm_adaptive == 0:
            raise UserError(
                "--batch_norm_adaptive=0 is a kind of batch norm, which --nobatch_norm leaves out; drop one"
            )
        if self.n_critic == 0 and self.like_reg == 0:
            raise UserError(
                "--n_critic=0 with --like_reg=0 leaves no objective; expected --n_critic > 0 (ADV), "
                "--like_reg > 0 (MLE), or both (hybrid)"
            )
        if not self.has_likelihood and self.objective != "adv":
            raise UserError(
                f"--model_type={self.model_type} has no likelihood; expected --like_reg=0 and --n_critic > 0 (ADV), "
                f"not --like_reg={self.like_reg} and --n_critic={self.n_critic}"
            )
        if self.mode == "compare":
            if not self.run_dirs:
                raise UserError("--mode=compare needs --run_dirs=FOLDER,FOLDER,..., existing runs")
        elif self.run_dir is None and (self.resume or self.mode not in ("train", "reproduce")):
            what = "--resume" if self.resume else f"--mode={self.mode}"
            raise UserError(f"{what} needs --run_dir=FOLDER, an existing run")
        if self.mode == "reproduce" and self.dataset not in REPRODUCED_DATASETS:
            raise UserError(
                f"--dataset={self.dataset} with --mode=reproduce; expected one of: {', '.join(REPRODUCED_DATASETS)}"
            )
        if self.mode == "reproduce" and (self.dataset, self.scale) == ("digits", "overnight"):
            raise UserError("--scale=overnight with --dataset=digits, which needs no night; expected small or full")
        if self.mode == "reproduce" and self.strategy == "multi_worker":
            raise UserError(
                "--strategy=multi_worker with --mode=reproduce, which is of one process; expected another one"
            )
        for name in ("scale", "num_seeds"):
            value = getattr(self, name)
            if self.mode != "reproduce" and value != Config.__dataclass_fields__[name].default:
                raise UserError(f"--{name}={value} goes with --mode=reproduce, not with --mode={self.mode}")
        for metric in self.metrics.split(","):
            check_choice("--metrics", metric, METRICS)
        if self.score_splits > self.score_samples:
            raise UserError(
                f"--score_splits={self.score_splits}; expected at most --score_samples={self.score_samples}"
            )
        if self.resume and self.mode != "train":
            raise UserError(f"--resume goes with --mode=train, not with --mode={self.mode}")
        if self.export_dir is not None and self.mode != "export":
            raise UserError(f"--export_dir={self.export_dir} goes with --mode=export, not with --mode={self.mode}")

    @property
    def objective(self):
        """Return "mle", "adv" or "hybrid"."""
        if self.n_critic == 0:
            return "mle"
        return "hybrid" if self.like_reg else "adv"

    @property
    def has_likelihood(self):
        """Whether the generator has a likelihood, and a run a best NLL."""
        return self.model_type != "dcgan"

    @property
    def hparams(self):
        """What makes runs differ, {name: value}: the settings that this kind of generator and objective has."""
        groups = {"Generator", "Training"} | ({"Objective"} if self.objective != "mle" else set())
        names = [field.name for field in dataclasses.fields(self) if field.metadata["group"] in groups]
        unused = CHANGEABLE["train"] | {name for name, kinds in _ONLY_FOR.items() if self.model_type not in kinds}
        values = {name: getattr(self, name) for name in ("dataset", "objective", "n_critic", *names)}
        return {name: value for name, value in values.items() if name not in unused and value is not None}

    def to_json(self):
        """Return the configuration as JSON, one setting per line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


# Settings that list names, with commas.
_LISTS = ("metrics", "run_dirs")
_PATHS = (
    *("run_dir", "runs_dir", "export_dir", "dataset", "data_dir", "init_from_original", "init_from_run"),
    *("classifier_dir", "inception_weights", "checkpoint_dir", "log_dir", "sample_dir"),
)
# TensorFlow counts steps, images and seeds in 32 bits.
_TOO_LARGE = 2**31


def _kind(field):
    return str(getattr(field.type, "__name__", field.type)).split(" | ")[0]


def _plain(field, value):
    """Return a setting's value in the setting's own type: paths as text, numpy's scalars as Python's."""
    if value is None and field.default is None:
        return None
    kind = _kind(field)
    plain = value.item() if isinstance(value, np.generic) else value
    if kind == "str" and isinstance(plain, str | os.PathLike):
        return os.fspath(plain)
    if kind == "float" and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    if kind == "int" and isinstance(plain, int):
        return int(plain)
    if kind == "bool" and isinstance(plain, bool):
        return plain
    expected = {"str": "text or a path", "float": "a number", "int": "an integer", "bool": "True or False"}[kind]
    raise UserError(f"--{field.name}={value!r}; expected {expected}")


# Settings that the other kinds of generator have no use for.
_ONLY_FOR = {
    "hidden_layers": ("nice",),
    "init_type": ("nice",),
    "no_of_layers": ("nice", "real_nvp"),
    "alpha": ("nice", "real_nvp"),
    "filters": ("real_nvp", "dcgan"),
    "scales": ("real_nvp",),
    "batch_norm": ("nice", "real_nvp"),
    "log_scale_rate": ("nice", "real_nvp"),
    "batch_norm_adaptive": ("real_nvp",),
    "init_from_original": ("nice", "real_nvp"),
}
_LOWEST = {
    "n_critic": 0,
    "like_reg": 0,
    "reg": 0,
    "min_lr": 0,
    "warmup_steps": 0,
    "seed": 0,
    "no_of_layers": 0,
    "scales": 1,
    "gpu_nr": 0,
    "levels": 2,
    "input_height": 1,
    "input_width": 1,
    "c_dim": 1,
    "max_steps": 1,
    "num_samples": 1,
    "num_seeds": 1,
    "num_examples": 1,
    "noise_draws": 1,
    "score_samples": 2,
    "score_splits": 1,
    "score_every": 0,
    "kde_samples": 1,
    "ais_images": 1,
    "ais_chains": 1,
    "ais_temperatures": 1,
    "ais_leapfrog": 1,
    "jacobian_draws": 1,
}
_POSITIVE = (
    "batch_size",
    "epoch",
    "hidden_layers",
    "df_dim",
    "filters",
    "learning_rate",
    "critic_learning_rate",
    "log_scale_rate",
    "clip_norm",
    "eval_every",
    "log_every",
    "temperature",
)

# What may differ from the stored configuration when a run is resumed, evaluated or sampled.
_ALWAYS_CHANGEABLE = frozenset(
    {
        *("mode", "run_dir", "runs_dir", "resume", "checkpoint", "split", "num_samples", "temperature"),
        *("data_dir", "epoch", "max_steps", "strategy", "gpu_nr", "data_on_device", "jit_compile"),
        "deterministic_ops",
        *("classifier_dir", "inception_weights", "run_dirs", "scale", "num_seeds"),
        *("eval_every", "log_every", "checkpoint_dir", "log_dir", "sample_dir"),
    }
)
# What belongs to an evaluation, not to the run.
EVALUATION = (
    *("metrics", "num_examples", "noise_draws", "classifier", "score_samples", "score_splits", "kde_samples"),
    *("ais_images", "ais_chains", "ais_temperatures", "ais_leapfrog", "jacobian_draws"),
)
CHANGEABLE = {
    "train": _ALWAYS_CHANGEABLE,
    "evaluate": _ALWAYS_CHANGEABLE | {"batch_size", "precision", *EVALUATION},
    "sample": _ALWAYS_CHANGEABLE | {"precision", "seed"},
    "export": _ALWAYS_CHANGEABLE | {"precision", "export_dir"},
}
# What may be given with --mode=reproduce; all else the scale sets.
REPRODUCTION = (
    *("mode", "run_dir", "runs_dir", "scale", "num_seeds", "dataset", "data_dir", "seed", "strategy", "gpu_nr"),
    *("data_on_device", "precision", "deterministic_ops", "jit_compile"),
    *("classifier", "classifier_dir", "inception_weights"),
)
# What --mode=compare measures its runs with.
COMPARISON = (
    *("dataset", "data_dir", "batch_size", "split", "gpu_nr", "classifier_dir", "inception_weights"),
    *EVALUATION,
)


def from_json(text, path):
    """Return the configuration of the run file `path` with the content `text`."""
    known = {field.name for field in dataclasses.fields(Config)}
    try:
        values = json.loads(text)
        return Config(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no configuration of a run: {error}") from error


class _Flags(flags.FlagValues):
    """absl's, but a flagfile is UTF-8 whatever the locale says, with a byte-order mark or without."""

    def read_flags_from_files(self, argv, force_gnu=True):
        """Return the words of a command line with those of each --flagfile in its place."""
        return _with_flagfiles(argv)


def _with_flagfiles(argv, within=()):
    words, rest = [], iter(argv)
    for word in rest:
        name, has_value, path = word.partition("=")
        if name not in ("--flagfile", "-flagfile"):
            words.append(word)
            continue
        path = home_expanded("--flagfile", path.strip() if has_value else next(rest, ""))
        if path in within:
            raise UserError(f"--flagfile={path} names itself, by way of {' and '.join(within)}")
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines = [line.strip() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--flagfile={path} cannot be read as UTF-8 text: {error}") from error
        lines = [line for line in lines if line and not line.startswith(("#", "//"))]
        words += _with_flagfiles(lines, (*within, path))
    return words


def define_flags():
    """Return absl flag values with one flag per setting."""
    values = _Flags()
    define = {
        "str": flags.DEFINE_string,
        "int": flags.DEFINE_integer,
        "float": flags.DEFINE_float,
        "bool": flags.DEFINE_boolean,
    }
    for field in dataclasses.fields(Config):
        define[_kind(field)](field.name, field.default, field.metadata["help"], flag_values=values)
    flags.DEFINE_boolean("help", False, "show this text", short_name="h", flag_values=values)
    return values


def help_text():
    """Return what `--help` shows: every flag with its default, by group."""
    lines = [
        "Train, evaluate and sample Flow-GANs (Grover, Dhar, Ermon, AAAI 2018).",
        "",
        "  python -m flow_gan.main                                    hybrid NICE on scikit-learn's digits",
        "  python -m flow_gan.main --flagfile=runs/NAME.flags         a preset; flags after it override it",
        "  python -m flow_gan.main --mode=evaluate --run_dir=FOLDER   the test NLL of a run; more by --metrics",
        "  python -m flow_gan.main --mode=compare --run_dirs=A,B,C    several runs in the paper's tables and figures",
        "  python -m flow_gan.main --mode=reproduce --dataset=digits  the whole paper: models, tables, figures",
        "  python -m flow_gan.main --mode=sample --run_dir=FOLDER     a grid of samples",
        "  python -m flow_gan.main --mode=export --run_dir=FOLDER     a SavedModel, for plain TensorFlow",
    ]
    group = None
    for field in dataclasses.fields(Config):
        if field.metadata["group"] != group:
            group = field.metadata["group"]
            lines += ["", f"{group}:"]
        text = field.metadata["help"]
        if field.metadata["choices"]:
            text += f" ({' | '.join(field.metadata['choices'])})"
        default = "" if field.default is None or field.type is bool else f"={field.default}"
        lines.append(f"  --{field.name}{default}")
        lines += textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def parse(argv, values=None):
    """Return (settings given, whether help is asked for) of a command line without the program's name.

    Args:
      argv: list of str.
      values: the flags, from `define_flags`; a program may have added its own, which are read from there.

    Raises:
      UserError: an unknown flag, a value of the wrong type, a missing flagfile, or a stray argument.
    """
    values = define_flags() if values is None else values
    try:
        rest = values(["flow_gan", *argv])[1:]
    except flags.Error as error:
        raise UserError(brief(error)) from error
    if rest:
        raise UserError(f"argument {rest[0]!r} is no flag; flags start with --, see --help")
    settings = [field.name for field in dataclasses.fields(Config)]
    given = {name: values[name].value for name in settings if values[name].present}
    return given, values["help"].value

"""A metric is one file: all that others do with it follows from what the file says."""

import importlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import config, data, training
from flow_gan.config import evaluation as evaluation_settings
from flow_gan.main import main
from flow_gan.measurement import Scorer, cannot_have, check_metrics, open_run, registry
from flow_gan.reproduction.plan import FLOWS, IMPLICIT, make_plan
from tests.helpers.classifier import judge
from tests.helpers.reports import rows, text_of, write_report
from tests.helpers.runs import SMALL

BRIGHTNESS = '''
"""The mean brightness of samples."""

import dataclasses

from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LIKELIHOOD
from flow_gan.report.model_tables import OBJECTIVES, Column


@dataclasses.dataclass(frozen=True)
class Brightness:
    """The mean over the pixels of samples."""

    mean: float

    def __str__(self):
        return f"brightness {self.mean:.3f}"

    def to_dict(self):
        """Return it by name."""
        return {"mean": self.mean, "warnings": ["made up"]}


def measure(run):
    """Return the brightness of samples."""
    return Brightness(float(run.samples(run.config.kde_samples).mean()))


def draw(run, measured):
    """Write a grid of samples."""
    return [run.save_grid("brightness", run.samples(4).reshape(2, 2, *run.generator.image_shape), "four")]


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=("kde_samples",),
    needs=(LIKELIHOOD,),
    is_of_every_model=True,
    columns=lambda dataset, split: (Column(table=OBJECTIVES, heading="Brightness", number="mean", digits=4),),
    noun="brightness",
    remarks=lambda results: [f"(!) {name}: {result['warnings'][0]}" for name, result in results.items()],
    score_in_training=lambda images: lambda samples: {"brightness": float(samples.mean())},
    tags={"brightness": "scores/brightness"},
)
'''
FLAGS = ["--kde_samples=20"]


@pytest.fixture
def brightness(tmp_path, monkeypatch):
    """The metric `brightness`, whose file lies in the folder of metrics."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "brightness.py").write_text(BRIGHTNESS, encoding="utf-8")
    package = importlib.import_module("flow_gan.metrics")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr(evaluation_settings, "METRICS", (*evaluation_settings.METRICS, "brightness"))
    yield "brightness"
    sys.modules.pop("flow_gan.metrics.brightness", None)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with two runs of one step."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("one", "two")):
        settings = SMALL | {"n_critic": 0, "max_steps": 1, "seed": seed, "run_dir": str(folder / name)}
        training.train(config.Config(**settings))
    return folder


def test_the_command_line_lists_the_files_of_the_folder(tmp_path):
    """Of a copy of the package, with one more."""
    package = pathlib.Path(flow_gan.__file__).parent
    for folder in ("", "metrics"):
        (tmp_path / "flow_gan" / folder).mkdir()
        for path in (package / folder).iterdir():
            if path.name not in ("metrics", "__pycache__"):
                (tmp_path / "flow_gan" / folder / path.name).symlink_to(path)
    (tmp_path / "flow_gan" / "metrics" / "brightness.py").write_text(BRIGHTNESS, encoding="utf-8")

    def say(*command):
        return subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, encoding="utf-8")

    shown = say("-m", "flow_gan.main", "--help").stdout
    assert "measures, separated by commas: ais, brightness, gmm," in " ".join(shown.split())
    refused = say("-m", "flow_gan.main", "--metrics=beauty").stderr
    assert "--metrics='beauty' is unknown; expected one of: ais, brightness, gmm," in refused
    assert say("-c", "from flow_gan.config import Config; Config(metrics='nll,brightness')").returncode == 0


def test_it_is_evaluated_stored_and_measured_again_when_stale(runs, brightness, capsys):
    assert main(["--mode=evaluate", f"--run_dir={runs / 'one'}", "--metrics=brightness", *FLAGS]) == 0
    printed = capsys.readouterr().out
    stored = json.loads((runs / "one" / "evaluation" / "brightness-test-best.json").read_text(encoding="utf-8"))
    assert f"brightness {stored['mean']:.3f}\n" in printed and "brightness-test-best.png" in printed
    picture = np.asarray(PIL.Image.open(runs / "one" / "evaluation" / "brightness-test-best.png"))
    assert min(picture.shape[:2]) >= 16

    def found(**settings):
        return open_run(runs / "one", {"kde_samples": 20} | settings).result("brightness")

    assert found() == stored and found(ais_images=3) == stored
    assert found(kde_samples=21) is None and found(precision="bfloat16") is None


def test_a_run_that_lacks_what_it_needs_cannot_have_it(brightness):
    dcgan = config.Config(model_type="dcgan", like_reg=0.0)
    assert cannot_have(dcgan, "brightness") == (
        "--metrics=brightness needs a likelihood, and --model_type=dcgan has none"
    )
    with pytest.raises(flow_gan.UserError, match="--metrics=brightness needs a likelihood"):
        check_metrics(dcgan, ["brightness"], data.load("digits"))
    assert cannot_have(config.Config(), "brightness") is None


def test_compare_has_its_column_and_remarks(runs, brightness, tmp_path, capsys):
    command = ["--mode=compare", f"--run_dirs={runs / 'one'},{runs / 'two'}", f"--runs_dir={tmp_path}"]
    assert main([*command, "--num_examples=5"]) == 0
    assert "Brightness" not in capsys.readouterr().out
    assert main([*command, "--metrics=brightness", "--num_examples=5", *FLAGS]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    header, row = (next(line for line in lines if line.startswith(f"| {name} ")) for name in ("Run", "one"))
    cells = dict(zip(*([cell.strip() for cell in line.split("|")[1:-1]] for line in (header, row)), strict=True))
    stored = json.loads((runs / "one" / "evaluation" / "brightness-test-best.json").read_text(encoding="utf-8"))
    assert cells["Brightness"] == f"{stored['mean']:.4f} (!)"
    assert "(!) one: made up" in lines and "(!) two: made up" in lines


def test_a_reproduction_measures_it_of_every_model_that_can_have_it(brightness):
    plan = make_plan(config.Config(mode="reproduce"), "folder")
    measured = {m.training.role for stage in plan.stages for m in stage.measurements if m.metric == "brightness"}
    assert {*FLOWS, "sweep_mle", "adv_no_norm"} <= measured and not {*IMPLICIT} & measured


def test_the_report_has_its_column_and_warnings(brightness, tmp_path, undrawn):
    def change(role, seed, metric, result):
        return {"mean": 0.25, "warnings": ["made up"], "versions": {}} if metric == "brightness" else result

    reader, stored, _ = write_report(tmp_path / "r", change=change)
    table = rows(stored, "table-1")
    assert table["MLE"]["Brightness"] == {"value": 0.25, "error": None, "warned": True}
    assert table["DCGAN, WGAN"]["Brightness"] == "none"
    assert "(!) MLE, seed 0, brightness: made up" in text_of(reader)


def test_scores_in_training_record_it(brightness, monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", judge)
    settings = config.Config(score_samples=30, score_splits=3, score_every=1)
    scorer = Scorer(settings, data.load("digits"))

    class Grey:
        image_shape = (8, 8, 1)
        compute_dtype = "float32"
        fast_batch_size = 1

        def sample_latent(self, key, first, count):
            return np.full((count, 64), 0.25, np.float32)

        def sample_labels(self, key, first, count):
            return None

        def decode(self, z):
            return tf.reshape(z, (-1, 8, 8, 1))

    score, figures = scorer(Grey())
    assert figures["brightness"] == 0.25 and score == figures["mode_score"]
    assert scorer.tags["brightness"] == "scores/brightness" and scorer.tags["fid"] == "scores/FID"


@pytest.mark.parametrize("name", evaluation_settings.METRICS)
def test_every_file_of_the_folder_is_a_metric(name):
    metric = registry.find(name)
    known = set(config.changeable("evaluate")) | {"seed"}
    assert {*metric.settings, *metric.image_counts} <= known
    assert sys.modules[f"flow_gan.metrics.{name}"].__doc__

"""SavedModels: what plain TensorFlow makes of them, and that one is written whole or not at all."""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import flow_gan
from flow_gan import data, export, training
from flow_gan.main import main
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import DCGAN, REAL_NVP, settings

OF_A_FLOW = {"sample", "decode", "log_prob", "log_prob_uint8", "encode", "encode_uint8"}
OF_A_FLOW_WITH_A_CRITIC = OF_A_FLOW | {"critic", "critic_uint8"}


def run_and_export(folder, **changes):
    """Return (run's folder, what exporting it printed)."""
    run = folder / "run"
    config = settings(run, max_steps=2, **changes)
    training.train(config)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["--mode=export", f"--run_dir={run}"]) == 0
    return run, printed.getvalue()


@pytest.fixture(scope="module")
def nice(tmp_path_factory):
    """A hybrid run of NICE on the digits."""
    return run_and_export(tmp_path_factory.mktemp("nice"))


def model_of(run):
    config = run_config({"mode": "export", "run_dir": str(run)})
    return training.load_model(config, data.levels_of(config.dataset))[0]


def assert_holds_all_and_only_tensorflow(path, model):
    """Assert that all weights are saved, and that no operation needs Python or a gradient that is not saved."""
    saved = tf.train.load_checkpoint(path / "variables" / "variables")
    sizes = sorted(
        int(np.prod(shape)) for name, shape in saved.get_variable_to_shape_map().items() if name.startswith("weights/")
    )
    weights = [w for part in (model.generator, model.critic) if part for w in part.weights]
    assert sizes == sorted(int(np.prod(weight.shape)) for weight in weights)
    graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [node for function in graph.library.function for node in function.node_def] + list(graph.node)
    assert len(nodes) > 50
    assert not [node.name for node in nodes if "PyFunc" in node.op]
    gradients = {node.attr["_gradient_op_type"].s.decode() for node in nodes if "_gradient_op_type" in node.attr}
    assert gradients <= {gradient.registered_op_type for gradient in graph.library.registered_gradients}


def test_every_signature_is_that_of_the_run(nice):
    """The whole digits' test set, in a batch of a size that the export was not tried with."""
    run, _ = nice
    model = model_of(run)
    loaded = tf.saved_model.load(run / "export" / "best")
    assert set(loaded.signatures) == OF_A_FLOW_WITH_A_CRITIC
    assert_holds_all_and_only_tensorflow(run / "export" / "best", model)
    images = data.load("digits").test.images
    batch = {"images": images, "index": [0], "split": [2]}
    real = model.draws.evaluation_images(batch)
    generator = model.generator
    z = generator.encode(real)
    expected = {
        "log_prob": ("log_prob", generator.log_prob(real)),
        "encode": ("z", z),
        "critic": ("logits", model.critic(real)),
    }
    for name, (output, value) in expected.items():
        for suffix, arguments in (("", {"images": real}), ("_uint8", {"images": images, "seed": tf.constant(0)})):
            result = loaded.signatures[name + suffix](**arguments)
            assert list(result) == [output]
            np.testing.assert_allclose(result[output], value, rtol=1e-5, atol=1e-4, err_msg=name + suffix)
    np.testing.assert_allclose(loaded.signatures["decode"](z=z)["images"], real, atol=1e-5)
    samples = loaded.signatures["sample"](
        count=tf.constant(7), seed=tf.constant(3), temperature=tf.constant(0.5, tf.float32)
    )["images"]
    np.testing.assert_allclose(samples, generator.sample(7, seed=3, temperature=0.5), atol=1e-5)


def test_an_image_does_not_depend_on_its_batch(nice):
    signatures = tf.saved_model.load(nice[0] / "export" / "best").signatures
    images = tf.random.stateless_uniform([5, 8, 8, 1], [0, 1])
    for name, output in (("log_prob", "log_prob"), ("encode", "z"), ("critic", "logits")):
        whole = signatures[name](images=images)[output]
        np.testing.assert_allclose(signatures[name](images=images[:1])[output], whole[:1], rtol=1e-5, atol=1e-5)
    grey = tf.cast(16 * images, tf.uint8)
    first, again, other = (
        signatures["log_prob_uint8"](images=grey, seed=tf.constant(seed))["log_prob"].numpy() for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected grey levels 0 to 16"):
        signatures["log_prob_uint8"](images=grey + 2, seed=tf.constant(1))


def test_what_exporting_prints(nice):
    run, printed = nice
    lines = printed.splitlines()
    path = run / "export" / "best"
    assert lines[0].startswith("checkpoint best (step 2), largest difference")
    for name in OF_A_FLOW_WITH_A_CRITIC:
        (line,) = [line for line in lines if line.split()[0] == name]
        difference, allowed = line.split()[1], line.split()[3].rstrip(")")
        assert 0 <= float(difference) <= float(allowed) < 1e-3
    assert any(line.startswith("overall ") for line in lines)
    assert f"saved_model_cli show --dir {path} --all" in lines
    assert any(line.startswith(f"saved_model_cli run --dir {path} --tag_set serve") for line in lines)
    assert lines[-1] == f"SavedModel     {path}"


def test_what_exists_is_left_as_it_is(nice, tmp_path, capsys):
    run, _ = nice
    before = {path: path.read_bytes() for path in (run / "export").rglob("*") if path.is_file()}
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    mode = ["--mode=export", f"--run_dir={run}"]
    assert_refused(mode, f"--export_dir={run}/export/best exists already and is left as it is", capsys)
    assert_refused([*mode, "--export_dir="], "--export_dir=. exists already", capsys)
    for name in ("file", "empty", "dangling"):
        assert_refused([*mode, f"--export_dir={tmp_path / name}"], "exists already and is left as it is", capsys)
    assert_refused([*mode, f"--export_dir={tmp_path}/file/a"], "--export_dir=.*/file/a cannot be written", capsys)
    assert {path: path.read_bytes() for path in (run / "export").rglob("*") if path.is_file()} == before
    assert (tmp_path / "file").read_text() == "mine" and not list((tmp_path / "empty").iterdir())
    assert len(list(tmp_path.iterdir())) == 3


def test_bad_commands(nice, tmp_path, capsys):
    run, _ = nice
    to = f"--export_dir={tmp_path}/a/b"
    assert_refused(["--mode=export", to], "--mode=export needs --run_dir", capsys)
    assert_refused(["--mode=export", f"--run_dir={tmp_path}/none", to], "is not a run", capsys)
    missing = ["--mode=export", f"--run_dir={run}", "--checkpoint=best_score", to]
    assert_refused(missing, "best_score holds no checkpoint", capsys)
    assert_refused(["--mode=sample", f"--run_dir={run}", to], "--export_dir=.* goes with --mode=export", capsys)
    assert not list(tmp_path.iterdir())


def small_model(**changes):
    generator = flow_gan.NICE((4, 4, 1), hidden_units=4, num_hidden_layers=0, **changes)
    return flow_gan.FlowGAN(generator, n_critic=0)


def test_a_difference_leaves_nothing_behind(tmp_path, monkeypatch):
    model = small_model()
    write = export._write

    def write_another(model, path):
        write(model, path)
        model.generator.log_scale.assign(model.generator.log_scale + 1e-3)

    monkeypatch.setattr(export, "_write", write_another)
    with pytest.raises(flow_gan.UserError, match="is not created: sample differs from the model by"):
        export.export(model, tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())

    monkeypatch.setattr(export, "_write", lambda model, path: path.mkdir())
    with pytest.raises(
        flow_gan.UserError, match=r"cannot be used by plain TensorFlow .*SavedModel file does not exist"
    ):
        export.export(model, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "exported, own, expected",
    [
        ([1.0, 2.5], [1.0, -2.0], (4.5, 2.0, 1.0)),
        ([np.inf, -np.inf, np.nan, 1.0], [np.inf, -np.inf, np.nan, 1.0], (0.0, 1.0, 0.25)),
        ([np.inf, 1.0], [-np.inf, 1.0], (np.inf, 1.0, 0.5)),
        ([np.nan, 1.0], [np.inf, 1.0], (np.inf, 1.0, 0.5)),
        ([np.nan], [1.0], (np.inf, 1.0, 1.0)),
        ([1.0], [np.nan], (np.inf, 1.0, 0.0)),
    ],
)
def test_difference(exported, own, expected):
    difference = export._difference([np.array(exported, "f")], [np.array(own, "f")], 1, 1e-5)
    assert (difference.largest, difference.scale, difference.finite_fraction) == expected
    assert difference.is_allowed == (expected[0] == 0)


def test_real_nvp_without_gradients_of_its_own(tmp_path):
    """What has other gradients in training, such as convolutions, has TensorFlow's in the export."""
    generator = flow_gan.RealNVP((4, 4, 3), 1, 16, "gaussian", scales=1)
    model = flow_gan.FlowGAN(generator, flow_gan.critics.dcgan((4, 4, 3), "ce", 2), divergence="ce")
    images = tf.random.stateless_uniform([3, 4, 4, 3], [0, 1])
    # Traced before, as in training.
    tf.function(generator.log_prob)(images)
    for weight in generator.weights:
        if "moving" in weight.path or "averages" in weight.path:
            weight.assign(weight + 0.5)
    own = generator.log_prob(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = generator.log_prob(images)
    gradient = tape.gradient(value, images)
    differences = export.export(model, tmp_path / "model")
    assert set(differences) == OF_A_FLOW_WITH_A_CRITIC and all(d.is_allowed for d in differences.values())
    assert_holds_all_and_only_tensorflow(tmp_path / "model", model)
    loaded = tf.saved_model.load(tmp_path / "model")
    with tf.GradientTape() as second, tf.GradientTape() as tape:
        second.watch(images)
        tape.watch(images)
        value = loaded.signatures["log_prob"](images=images)["log_prob"]
        again = tape.gradient(value, images)
    np.testing.assert_allclose(value, own, rtol=1e-5)
    np.testing.assert_allclose(again, gradient, rtol=1e-3, atol=1e-3)
    assert np.isfinite(second.gradient(again, images)).all()


def test_batch_statistics_come_with_a_warning(tmp_path):
    changes = REAL_NVP | {"n_critic": 0, "no_of_layers": 0, "batch_norm_adaptive": 0}
    run, printed = run_and_export(tmp_path, **changes)
    assert "warning: with --batch_norm_adaptive=0 an image's log p depends on the other images" in printed
    assert set(tf.saved_model.load(run / "export" / "best").signatures) == OF_A_FLOW


def test_dcgan_samples_alone(tmp_path):
    run, printed = run_and_export(tmp_path, **DCGAN)
    loaded = tf.saved_model.load(run / "export" / "latest")
    assert set(loaded.signatures) == {"sample"} and "warning" not in printed
    samples = loaded.signatures["sample"](count=tf.constant(3), seed=tf.constant(1), temperature=tf.constant(1.0))
    np.testing.assert_allclose(samples["images"], model_of(run).generator.sample(3, seed=1), atol=1e-5)

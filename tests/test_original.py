import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import original, training
from flow_gan.main import main
from flow_gan.training.batches import training_batches
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.golden import Golden, assert_close_to_largest, assert_log_prob
from tests.helpers.runs import settings


@pytest.fixture(scope="module")
def golden():
    return Golden("loss_nice_ce")


@pytest.mark.parametrize("name", ["loss_nice_ce", "loss_real_nvp_wgan", "loss_real_nvp_simple_ce"])
def test_every_variable_has_a_name(name):
    golden = Golden(name)
    generator, critic = golden.generator(), golden.critic()
    model = flow_gan.FlowGAN(generator, critic, divergence=golden.meta["f_div"])
    for part in (generator, critic, model):
        named = {id(entry.variable) for entry in original.variable_names(part).values()}
        weights = [v for v in part.weights if v is not getattr(model, "step", None)]
        assert named == {id(v) for v in weights}
        assert sum(np.prod(entry.shape) for entry in original.variable_names(part).values()) == sum(
            np.prod(v.shape) for v in weights
        )


def test_a_whole_model(golden):
    model = flow_gan.FlowGAN(golden.nice(), golden.critic(), divergence="ce")
    values = {name: np.full_like(value, 0.25) for name, value in golden.below("var").items()}
    original.assign_variables(model, values)
    assert all((v.numpy() == 0.25).all() for v in model.weights if v is not model.step)


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda v: v.pop("model/Scaling/g_scale"), r"missing \['model/Scaling/g_scale'\], unknown none"),
        (lambda v: v.update(extra=np.zeros(1)), r"missing none, unknown \['extra'\]"),
        (lambda v: v.update({"bogus/step": np.zeros(())}), r"missing none, unknown \['bogus/step'\]"),
        (
            lambda v: v.update({"model/Scaling/g_scale": np.zeros((1, 3))}),
            r"variable 'model/Scaling/g_scale' has shape \(1, 3\); expected \(1, 144\)",
        ),
    ],
)
def test_refuses_by_name_and_changes_nothing(golden, break_it, message):
    generator = golden.nice()
    before = [v.numpy() for v in generator.weights]
    values = {name: value + 1 for name, value in golden.part("var", "model").items()}
    break_it(values)
    with pytest.raises(flow_gan.UserError, match=message):
        original.assign_variables(generator, values)
    for a, b in zip(before, generator.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_release_has_two_scales():
    with pytest.raises(flow_gan.UserError, match="scales=3 has no counterpart in the release, which has 2"):
        original.variable_names(flow_gan.RealNVP((4, 4, 1), 0, 2, scales=3))


def test_other_models_have_no_names():
    with pytest.raises(flow_gan.UserError, match="int has no counterpart"):
        original.variable_names(3)


def write_checkpoint(variables, prefix, optimizer=False, version=2):
    """Write {name: array} as TensorFlow 1 does, with the state of Adam and a global step if asked for."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.Variable(v, name=k, trainable=v.ndim > 0) for k, v in variables.items()]
        if optimizer:
            loss = tf.add_n([tf.reduce_sum(v) for v in made if v.shape.rank])
            step = tf.compat.v1.train.get_or_create_global_step()
            trained = [v for v in made if v.shape.rank]
            tf.compat.v1.train.AdamOptimizer(1e-4).minimize(loss, step, trained)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(write_version=version)
        return saver.save(session, str(prefix), global_step=703)


def zeroed(part):
    for variable in part.weights:
        variable.assign(0 * variable)
    return part


@pytest.mark.parametrize(
    "name, version",
    [("nice_mnist", 1), ("nice_mnist", 2), ("real_nvp_cifar_adaptive", 2), ("real_nvp_cifar_simple", 2)],
)
def test_a_checkpoint_gives_the_release_s_results(name, version, tmp_path):
    golden = Golden(name)
    path = write_checkpoint(golden.below("var"), tmp_path / "DCGAN.model", version=version)
    generator = zeroed(golden.generator())
    original.load_checkpoint(generator, path)
    images = golden.dequantized()
    assert_log_prob(generator.log_prob(images), golden["eval/logp"])
    z = golden["eval/z"]
    assert_close_to_largest(generator.encode(images), z.reshape(len(z), -1), 2e-4)
    np.testing.assert_allclose(generator.decode(golden["z_in"]), golden["eval/G"], atol=2e-5)


@pytest.mark.parametrize("name", ["loss_nice_ce", "loss_real_nvp_wgan"])
def test_a_checkpoint_with_a_critic_and_an_optimizer(name, tmp_path, caplog):
    golden = Golden(name)
    variables = golden.below("var")
    write_checkpoint(variables, tmp_path / "DCGAN.model", optimizer=True)
    model = flow_gan.FlowGAN(golden.generator(), golden.critic(), divergence=golden.meta["f_div"])
    zeroed(model)
    # The folder has been moved since.
    shutil.copytree(tmp_path, tmp_path / "moved")
    (tmp_path / "checkpoint").unlink()
    original.load_checkpoint(model, tmp_path / "moved")
    moments = 2 * sum(value.ndim > 0 for value in variables.values())
    assert f"left out {moments} Adam's moments, 2 Adam's powers of beta, 1 step counters" in caplog.text
    fake = model.generator.decode(golden["z_in"], training=True)
    np.testing.assert_allclose(model.critic(fake, training=True), golden["loss/logits_fake"], atol=2e-5)
    np.testing.assert_allclose(
        model.critic(golden.dequantized("noise_d"), training=True), golden["loss/logits_real"], atol=2e-5
    )

    caplog.clear()
    alone = flow_gan.FlowGAN(zeroed(golden.generator()), n_critic=0)
    original.load_checkpoint(alone, tmp_path / "moved")
    critic = sum(key.startswith("discriminator/") for key in variables)
    assert f"{critic} variables of the critic" in caplog.text
    for entry, value in zip(original.variable_names(alone).values(), golden_values(alone, variables), strict=True):
        np.testing.assert_array_equal(entry.numpy().ravel(), value.ravel())
    critic = zeroed(golden.critic())
    original.load_checkpoint(critic, tmp_path / "moved")
    for entry, value in zip(original.variable_names(critic).values(), golden_values(critic, variables), strict=True):
        np.testing.assert_array_equal(entry.numpy(), value)


def golden_values(part, variables):
    return [variables[name] for name in original.variable_names(part)]


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda v: v.pop("model/Scaling/g_scale"), r"does not fit the model: .* missing \['model/Scaling/g_scale'\]"),
        (lambda v: v.update({"model/extra": np.zeros(1, "f")}), r"unknown \['model/extra'\]"),
        (lambda v: v.update({"other/step": np.zeros((), "f")}), r"unknown \['other/step'\]"),
        (lambda v: v.update({"model/Scaling/g_scale": np.zeros((1, 3), "f")}), r"has shape \(1, 3\); expected"),
        (
            lambda v: [v.pop(name) for name in list(v) if "Checkerboard_2/" in name],
            r"missing \[('model/Checkerboard_2/[\w/]+'(, )?){5}\] and \d+ more, unknown none",
        ),
    ],
)
def test_a_checkpoint_of_another_model_changes_nothing(golden, break_it, message, tmp_path):
    generator = golden.nice()
    before = [v.numpy() for v in generator.weights]
    variables = {name: value + 1 for name, value in golden.below("var").items()}
    break_it(variables)
    path = write_checkpoint(variables, tmp_path / "model")
    with pytest.raises(flow_gan.UserError, match=f"checkpoint {re.escape(path)} .*{message}") as error:
        original.load_checkpoint(generator, path)
    assert "\n" not in str(error.value)
    for a, b in zip(before, generator.weights, strict=True):
        np.testing.assert_array_equal(a, b)


# The settings of golden/nice_gaussian, which has the digits' size.
GAUSSIAN = ["--hidden_layers=32", "--no_of_layers=2", "--prior=gaussian", "--batch_size=20"]


def test_training_from_a_checkpoint(tmp_path):
    """It starts from the weights, which so small a rate keeps, and a resumed run does not read them again."""
    golden = Golden("nice_gaussian")
    variables = golden.below("var")
    path = write_checkpoint(variables, tmp_path / "release" / "DCGAN.model", optimizer=True)
    run = tmp_path / "run"
    flags = [*GAUSSIAN, "--n_critic=0", "--learning_rate=1e-30", "--max_steps=2", f"--run_dir={run}"]
    assert main([*flags, f"--init_from_original={path}"]) == 0
    assert json.loads((run / "config.json").read_text())["init_from_original"] == path
    model, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(run)}))
    for name, entry in original.variable_names(model).items():
        if entry.trainable:
            np.testing.assert_array_equal(entry.numpy(), variables[name].reshape(entry.shape), name)
    shutil.rmtree(tmp_path / "release")
    assert main(["--resume", f"--run_dir={run}", "--max_steps=3", f"--init_from_original={path}"]) == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3


def test_replicas_start_from_a_checkpoint(tmp_path):
    """All of them, the critic too, as one device does."""
    changes = {"hidden_layers": 8, "batch_size": 20, "max_steps": 2}
    source = settings(tmp_path, seed=5, **changes)
    model = training.build_model(training.resolve(source, (8, 8, 1)), 17)
    released = {name: entry.numpy() for name, entry in original.variable_names(model).items()}
    released["model/Scaling/g_scale"] = released["model/Scaling/g_scale"][np.newaxis]
    write_checkpoint(released, tmp_path / "DCGAN.model")
    config = settings(tmp_path, strategy="mirrored", init_from_original=str(tmp_path), **changes)
    prepared = training.prepare(config)
    strategy, mirrored = prepared.strategy, prepared.model
    assert strategy.num_replicas_in_sync == 2 and mirrored.num_steps == 0
    for ours, theirs in zip(mirrored.weights, model.weights, strict=True):
        for replica in strategy.experimental_local_results(ours.value):
            np.testing.assert_array_equal(replica.numpy(), theirs.numpy())
    mirrored.fit(
        training_batches(config, mirrored, prepared.dataset, 0, 1), steps_per_epoch=1, verbose=0, shuffle=False
    )
    assert mirrored.num_steps == 1


def test_bad_checkpoints(tmp_path, capsys, monkeypatch):
    path = write_checkpoint(Golden("nice_gaussian").below("var"), tmp_path / "a" / "model")
    data = tmp_path / "a" / "model-703.data-00000-of-00001"
    (tmp_path / "here").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no checkpoint")
    monkeypatch.chdir(tmp_path / "here")

    def refuse(value, message, *flags):
        argv = [*(flags or [*GAUSSIAN, "--n_critic=0"]), f"--init_from_original={value}"]
        assert_refused(argv, f"--init_from_original={value}.*{message}", capsys)

    refuse("", "folder . holds no readable file 'checkpoint'")
    refuse(tmp_path / "none", "there is no checkpoint .*expected the prefix")
    refuse(f"{path}.index", "there is no checkpoint .*expected the prefix")
    refuse(tmp_path / "empty", "holds no readable file 'checkpoint'")
    refuse(tmp_path / "text", "")
    refuse(path, "is for --model_type=nice or real_nvp, not dcgan", "--model_type=dcgan", "--like_reg=0")
    refuse(path, "does not fit the model: .*missing .*discriminator", *GAUSSIAN)
    refuse(path, "does not fit the model", "--n_critic=0")
    whole = data.read_bytes()
    data.write_bytes(whole[:1000] + bytes(100) + whole[1100:])
    refuse(path, "cannot be read")
    data.write_bytes(whole[:1000])
    refuse(tmp_path / "a", "cannot be read")
    data.unlink()
    refuse(path, "")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_run_cannot_be_given_other_weights(tmp_path, capsys):
    argv = [f"--run_dir={tmp_path}/run", "--max_steps=1", "--n_critic=0", "--hidden_layers=4"]
    assert main(argv) == 0
    capsys.readouterr()
    for mode in ("--resume", "--mode=evaluate"):
        flags = [mode, f"--run_dir={tmp_path}/run", "--init_from_original=x"]
        assert_refused(flags, "--init_from_original=x, but the run .* has None", capsys)

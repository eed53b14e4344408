"""The NLL of fixed training images at every validation: what the held-out one is compared with."""

import dataclasses

import numpy as np
import pytest

import flow_gan
from flow_gan import data, evaluation, training
from flow_gan.training.batches import watched_batches, watched_images
from tests.helpers.runs import DCGAN, REAL_NVP, settings
from tests.helpers.same_run import lines_of

NAMES = ("train_nll", "train_nll_standard_error", "validation_nll", "validation_nll_standard_error")
OBJECTIVES = {"mle": {"n_critic": 0}, "adv": {"like_reg": 0.0}}


def evaluated(model, images, dataset):
    """Return the NLL of training images by the code that evaluates a finished run."""
    only = dataclasses.replace(dataset, train=data.Split(images[:]))
    return evaluation.evaluate_nll(model, only, "train", 100)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_both_are_in_evaluation_mode_at_every_validation(tmp_path, objective):
    """The last record is what an evaluation of the finished run gives, moving averages and all."""
    folder = tmp_path / "run"
    outcome = training.train(settings(folder, **OBJECTIVES[objective], learning_rate=0.02, eval_every=2, max_steps=5))
    records = [line for line in lines_of(folder) if "validation_nll" in line]
    assert [line["step"] for line in records] == [2, 4, 5]
    assert not [line["step"] for line in lines_of(folder) if "train_nll" in line and "validation_nll" not in line]
    dataset = outcome.dataset
    latest = settings(folder, checkpoint="latest", **OBJECTIVES[objective])
    model, _ = training.load_model(training.resolve(latest, dataset.image_shape), dataset.levels)
    images = watched_images(dataset)["train"]
    assert len(images) == len(dataset.validation) == 250
    train = evaluated(model, images, dataset)
    validation = evaluation.evaluate_nll(model, dataset, "validation", 100)
    expected = [train.nats, train.nats_standard_error, validation.nats, validation.nats_standard_error]
    np.testing.assert_allclose([records[-1][name] for name in NAMES], expected, rtol=1e-5, atol=1e-4)
    assert abs(train.nats - validation.nats) > 0.01, "they could not be told apart"


def test_the_images_are_a_sample_of_all_and_always_the_same():
    images = np.arange(6000, dtype=np.uint16).view(np.uint8).reshape(6000, 1, 2, 1)

    def numbers(chosen):
        return chosen[:].reshape(-1, 2).view(np.uint16).ravel()

    few, many = (data.Split(images[:count]) for count in (300, 5000))
    for validation, count in ((few, 300), (many, 2000)):
        dataset = data.Dataset(
            name="own",
            image_shape=(1, 2, 1),
            levels=256,
            train=data.Split(images),
            validation=validation,
            test=validation,
        )
        watched = watched_images(dataset)
        assert watched["validation"] is validation.images and len(watched["train"]) == count
        chosen = numbers(watched["train"])
        assert len(set(chosen)) == count and list(chosen) == list(numbers(watched_images(dataset)["train"]))
        # Not the first ones: files of a folder come class by class.
        assert abs(chosen.mean() - 3000) < 4 * 6000 / np.sqrt(12 * count)


def test_images_are_not_read_before_they_are_asked_for():
    class Lazy:
        shape = (50, 3, 3)

        def __len__(self):
            return 50

        def __getitem__(self, key):
            return np.zeros((*np.shape(key), 3, 3), np.uint8) + np.asarray(key, np.uint8)[..., None, None]

    splits = {part: data.Split(Lazy()) for part in ("train", "validation", "test")}
    dataset = data.Dataset(name="own", image_shape=(3, 3, 1), levels=256, **splits)
    images = watched_images(dataset)["train"]
    assert images.shape == (50, 3, 3, 1) and list(images[np.array([0, 49])][:, 0, 0, 0]) == [0, 49]


@pytest.mark.parametrize("held_out, kept", [(1, 1), (30, 20)])
def test_own_data_with_few_images(tmp_path, held_out, kept):
    """As many as validate, or all where there are fewer."""
    path = tmp_path / "set.npz"
    rng = np.random.default_rng(0)
    sizes = {"train": 20, "validation": held_out, "test": 2}
    np.savez(path, **{name: rng.integers(0, 256, (size, 8, 8), np.uint8) for name, size in sizes.items()})
    changes = {"dataset": str(path), "batch_size": 4, "n_critic": 0, "epoch": 1, "max_steps": None, "eval_every": 2}
    outcome = training.train(settings(tmp_path / "run", **changes))
    assert len(watched_images(outcome.dataset)["train"]) == kept
    records = [line for line in lines_of(tmp_path / "run") if "train_nll" in line]
    assert [line["step"] for line in records] == [2, 4, 5]
    assert all(np.isfinite(line["train_nll"]) for line in records)
    # Of a single image the error is not known.
    errors = [line["train_nll_standard_error"] for line in records]
    assert errors == [None] * 3 if kept == 1 else np.isfinite(errors).all()


def test_the_batch_s_own_statistics_take_the_batches_of_training(tmp_path):
    """Such a likelihood depends on the batch, of which a validation's have the size."""
    changes = REAL_NVP | {"n_critic": 0, "batch_norm_adaptive": 0, "max_steps": 1}
    outcome = training.train(settings(tmp_path / "run", **changes))
    batches, steps = watched_batches(settings(None, **changes), outcome.model, outcome.dataset)["train"]
    sizes = [len(batch["images"]) for batch in batches]
    assert sizes == [20] * 13 and steps == 13
    assert np.isfinite(lines_of(tmp_path / "run")[0]["train_nll"])


def test_none_without_a_likelihood(tmp_path):
    training.train(settings(tmp_path / "run", **DCGAN | {"max_steps": 2}))
    assert not [name for line in lines_of(tmp_path / "run") for name in line if "nll" in name]


def test_one_that_is_not_finite_stops_a_likelihood_s_training(tmp_path, monkeypatch):
    """As a validation's does; under ADV it is recorded as null."""
    evaluate = flow_gan.FlowGAN.evaluate
    calls = []

    def second_of_two(*arguments, **more):
        result = evaluate(*arguments, **more)
        calls.append(result)
        return result | {"nll": float("inf")} if len(calls) % 2 == 0 else result

    monkeypatch.setattr(flow_gan.FlowGAN, "evaluate", second_of_two)
    with pytest.raises(flow_gan.UserError, match=r"step 4: train_nll is inf, so training stopped"):
        training.train(settings(tmp_path / "mle", n_critic=0))
    training.train(settings(tmp_path / "adv", like_reg=0.0, max_steps=4))
    last = lines_of(tmp_path / "adv")[-1]
    assert last["train_nll"] is None and np.isfinite(last["validation_nll"])

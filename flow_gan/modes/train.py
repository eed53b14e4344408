"""--mode=train: a training run, and the test NLL of its best weights."""

import dataclasses
import math

from flow_gan import data, training
from flow_gan.training.run_config import run_config


def run(given: dict) -> None:
    """Train, then measure the best weights on the test images, and print where everything is.

    Without a likelihood there is no NLL, and the latest weights are used.
    """
    config = run_config(given)
    trained = training.train(config, _make_scorer)
    if trained is None:
        print("training is done; the chief evaluates and saves")
        return
    model, folder = trained.model, trained.folder
    if trained.first_step == trained.last_step:
        print(f"nothing left to train: the run has already made its {trained.last_step} steps")
    if math.isfinite(trained.best_nll):
        checkpoint = "best"
        bits = trained.dataset.bits_per_dim(trained.best_nll)
        print(f"best validation NLL  {trained.best_nll:.2f} nats, {bits:.4f} bits/dim, at step {trained.best_step}")
    else:
        checkpoint = "latest"
        why = " was finite" if model.generator.has_likelihood else f", since {config.model_type} has no likelihood"
        print(f"best validation NLL  none{why}; what follows is of the latest weights")
    if model.generator.has_likelihood:
        print(f"{'test NLL':<20} {_measured(trained, config, checkpoint, 'nll')}")
    from flow_gan.modes.sample import sample_grid

    grid = folder.samples / f"{checkpoint}.png"
    data.save_png(grid, sample_grid(model.generator, config))
    if math.isfinite(trained.best_score):
        from flow_gan.report import paper

        label = paper.score_label(trained.dataset)
        print(f"{'best ' + label:<20} {trained.best_score:.3f} in training, at step {trained.best_score_step}")
        # The highest of several scores is biased upwards: the chosen weights are measured on new samples.
        training.Checkpoints(model, folder.checkpoints).restore("best_score")
        print(f"{'on new samples':<20} {_measured(trained, config, 'best_score', 'scores')}")
    print(f"samples              {grid}")
    print(f"run folder           {folder.path}")
    print(f"curves               tensorboard --logdir {folder.tensorboard}")


def _make_scorer(config, dataset):
    # As below: SciPy, scikit-learn and Matplotlib, which come with it, are not imported before the training begins.
    from flow_gan.measurement import Scorer

    return Scorer(config, dataset)


def _measured(trained, config, checkpoint, metric):
    """Return the text, indented, of a metric on the test images; the model has the weights of the checkpoint."""
    from flow_gan.measurement import LoadedRun, measure

    finished = dataclasses.replace(config, checkpoint=checkpoint, split="test")
    text = measure(
        LoadedRun(config=finished, folder=trained.folder, dataset=trained.dataset, model=trained.model), metric
    )
    return text.replace("\n", "\n" + 21 * " ")

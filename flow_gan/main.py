"""The command line: python -m flow_gan.main [--flags], see --help."""

import dataclasses
import math
import sys

from flow_gan import command_line, data, modes, training
from flow_gan import config as config_module

_INTERRUPTED = "interrupted; --resume with --run_dir goes on from the latest checkpoint of a run that was training"


def main(argv=None):
    """Run the command line `argv` (without the program's name); return the exit status."""
    return command_line.run(lambda: _main(sys.argv[1:] if argv is None else argv), _INTERRUPTED)


def _main(argv):
    given, wants_help = config_module.parse(argv)
    if wants_help:
        print(config_module.help_text())
        return
    config = modes.effective_config(given)
    if config.mode == "compare":
        modes.compare(config, given)
    elif config.mode == "reproduce":
        print(f"report               {modes.reproduce(config, given)}")
    else:
        {
            "train": train,
            "evaluate": modes.evaluate,
            "sample": sample,
            "export": modes.export,
        }[config.mode](config)


def train(config):
    """Train, then evaluate the test images with the best weights, and say where everything lies.

    Without a likelihood there is no evaluation, and the weights are the latest.
    """
    outcome = training.train(config, modes.make_scorer)
    if outcome is None:
        print("training is done; the chief evaluates and saves")
        return
    model, folder = outcome.model, outcome.folder
    if outcome.first_step == outcome.last_step:
        print(f"nothing left to train: the run has made its {outcome.last_step} steps")
    if math.isfinite(outcome.best_nll):
        checkpoint = "best"
        bits = outcome.dataset.bits_per_dim(outcome.best_nll)
        print(f"best validation NLL  {outcome.best_nll:.2f} nats, {bits:.4f} bits/dim, at step {outcome.best_step}")
    else:
        checkpoint = "latest"
        why = " was finite" if model.generator.has_likelihood else f", since {config.model_type} has no likelihood"
        print(f"best validation NLL  none{why}; what follows is of the latest weights")
    if model.generator.has_likelihood:
        finished = dataclasses.replace(config, checkpoint=checkpoint, split="test")
        run = modes.Run(finished, outcome.dataset, model, folder)
        print(f"{'test NLL':<20} {_indented(modes.measure(run, 'nll'))}")
    grid = folder.samples / f"{checkpoint}.png"
    data.save_png(grid, data.image_grid(model.generator.sample(config.num_samples, config.seed)))
    if math.isfinite(outcome.best_score):
        label = modes.score_label(outcome.dataset)
        print(f"{'best ' + label:<20} {outcome.best_score:.3f} in training, at step {outcome.best_score_step}")
        # The highest of several is too high: these weights are measured on samples that did not choose them.
        training.Checkpoints(model, folder.checkpoints).restore("best_score")
        run = modes.Run(
            dataclasses.replace(config, checkpoint="best_score", split="test"), outcome.dataset, model, folder
        )
        print(f"{'on new samples':<20} {_indented(modes.measure(run, 'scores'))}")
    print(f"samples              {grid}")
    print(f"run folder           {folder.path}")
    print(f"curves               tensorboard --logdir {folder.tensorboard}")


def _indented(text):
    return text.replace("\n", "\n" + 21 * " ")


def sample(config):
    """Draw a grid of samples."""
    model, folder = training.load_model(config)
    images = model.generator.sample(config.num_samples, config.seed, config.temperature)
    name = f"{config.checkpoint}-seed-{config.seed}-temperature-{config.temperature:g}.png"
    path = folder.samples / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_png(path, data.image_grid(images))
    print(f"{config.num_samples} samples  {path}")


if __name__ == "__main__":
    sys.exit(main())

"""The command line: python -m flow_gan.main [--flags], see --help."""

import math
import sys

from flow_gan import config as config_module
from flow_gan import data, evaluation, training
from flow_gan.errors import UserError
from flow_gan.training.run_folder import read_config, write_json


def main(argv=None):
    """Run the command line `argv` (without the program's name); return the exit status."""
    try:
        given, wants_help = config_module.parse(sys.argv[1:] if argv is None else argv)
        if wants_help:
            print(config_module.help_text())
            return 0
        config = effective_config(given)
        {"train": train, "evaluate": evaluate, "sample": sample}[config.mode](config)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; --resume with --run_dir goes on from the latest checkpoint", file=sys.stderr)
        return 130
    return 0


def effective_config(given):
    """Return the configuration of {setting: value} given, completed from `--run_dir` where there is a run.

    Raises:
      UserError: a value is out of range, or another one than that of the run to go on with or to evaluate.
    """
    asked = config_module.Config(**given)
    if asked.mode == "train" and not asked.resume:
        return asked
    text, path = read_config(asked.run_dir)
    stored = config_module.from_json(text, path)
    for name, value in given.items():
        if name not in config_module.CHANGEABLE[asked.mode] and getattr(asked, name) != getattr(stored, name):
            raise UserError(
                f"--{name}={value}, but the run {asked.run_dir} has {getattr(stored, name)}: that would be another "
                "model or another run; leave the flag out"
            )
    settings = vars(stored) | {"mode": "train", "resume": False, "checkpoint": "best", "split": "test"}
    if "epoch" in given:
        settings["max_steps"] = None  # What is asked for now counts, not what the run was started with.
    return config_module.Config(**(settings | given))


def train(config):
    """Train, then evaluate the test images with the best weights, and say where everything lies."""
    outcome = training.train(config)
    model, folder = outcome.model, outcome.folder
    if outcome.first_step == outcome.last_step:
        print(f"nothing left to train: the run has made its {outcome.last_step} steps")
    if math.isfinite(outcome.best_nll):
        checkpoint = "best"
        bits = outcome.dataset.bits_per_dim(outcome.best_nll)
        print(f"best validation NLL  {outcome.best_nll:.2f} nats, {bits:.4f} bits/dim, at step {outcome.best_step}")
    else:
        checkpoint = "latest"
        print("best validation NLL  none was finite; what follows is of the latest weights")
    nll = evaluate_split(model, outcome.dataset, folder, "test", checkpoint, config.batch_size)
    grid = folder.samples / f"{checkpoint}.png"
    data.save_png(grid, data.image_grid(model.generator.sample(config.num_samples, config.seed)))
    print(f"test NLL             {nll}")
    print(f"samples              {grid}")
    print(f"run folder           {folder.path}")
    print(f"curves               tensorboard --logdir {folder.tensorboard}")


def evaluate(config):
    """Print and store the NLL of `--split`."""
    dataset = training.load_data(config)
    model, folder = training.load_model(config, dataset.levels)
    nll = evaluate_split(model, dataset, folder, config.split, config.checkpoint, config.batch_size)
    print(f"{config.split} NLL  {nll}")
    print(f"stored in {folder.evaluation}")


def evaluate_split(model, dataset, folder, split, checkpoint, batch_size):
    """Return the NLL of a split and store it in the run's evaluation folder."""
    nll = evaluation.evaluate_nll(model, dataset, split, batch_size)
    figures = {"split": split, "checkpoint": checkpoint, "step": model.num_steps} | nll.to_dict()
    write_json(folder.evaluation / f"nll-{split}-{checkpoint}.json", figures)
    return nll


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

"""The command line: python -m flow_gan.main [--flags], see --help."""

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
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
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
        if name not in config_module.RESUMABLE and value != getattr(stored, name):
            raise UserError(
                f"--{name}={value}, but the run {asked.run_dir} has {getattr(stored, name)}: that would be another "
                "model or another run; leave the flag out"
            )
    settings = vars(stored) | {"mode": "train", "resume": False, "checkpoint": "best", "split": "test"}
    return config_module.Config(**(settings | given))


def train(config):
    """Train, then evaluate the test images with the best weights, and say where everything lies."""
    outcome = training.train(config)
    model, dataset, folder = outcome.model, outcome.dataset, outcome.folder
    test = evaluation.evaluate_nll(model, dataset, "test", config.batch_size)
    write_json(folder.evaluation / "nll-test.json", test.to_dict() | {"step": model.num_steps})
    grid = folder.samples / "best.png"
    data.save_png(grid, data.image_grid(model.generator.sample(config.num_samples, config.seed)))
    print(f"best validation NLL  {outcome.best_nll:.2f} nats, at step {outcome.best_step}")
    print(f"test NLL             {test}")
    print(f"samples              {grid}")
    print(f"run folder           {folder.path}")
    print(f"curves               tensorboard --logdir {folder.tensorboard}")


def evaluate(config):
    """Print and store the NLL of `--split`."""
    model, dataset, folder = training.load_run(config)
    nll = evaluation.evaluate_nll(model, dataset, config.split, config.batch_size)
    path = folder.evaluation / f"nll-{config.split}.json"
    write_json(path, nll.to_dict() | {"checkpoint": config.checkpoint, "step": model.num_steps})
    print(f"{config.split} NLL  {nll}")
    print(f"stored in {path}")


def sample(config):
    """Draw a grid of samples."""
    model, _, folder = training.load_run(config)
    images = model.generator.sample(config.num_samples, config.seed, config.temperature)
    path = folder.samples / f"samples-{config.checkpoint}-temperature-{config.temperature:g}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_png(path, data.image_grid(images))
    print(f"{config.num_samples} samples  {path}")


if __name__ == "__main__":
    sys.exit(main())

"""--mode=sample: a grid of samples."""

from flow_gan import data, training
from flow_gan.training.run_config import run_config


def run(given: dict) -> None:
    """Draw a grid of samples of a run."""
    config = run_config(given)
    model, folder = training.load_model(config)
    images = model.generator.sample(config.num_samples, config.seed, config.temperature)
    name = f"{config.checkpoint}-seed-{config.seed}-temperature-{config.temperature:g}.png"
    path = folder.samples / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_png(path, data.image_grid(images))
    print(f"{config.num_samples} samples  {path}")

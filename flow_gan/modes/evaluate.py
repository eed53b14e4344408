"""--mode=evaluate: measures of a finished run, printed, stored as JSON and drawn."""

from flow_gan import training
from flow_gan.measurement import LoadedRun, check_metrics, measure
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder, check_writable


def run(given: dict) -> None:
    """Measure a run by each of `--metrics`; print, store and draw the results.

    Raises:
      UserError: a metric is impossible with this model or these data, or more images are asked for than there are.
        Nothing is measured then.
    """
    config = run_config(given)
    names = config.metrics.split(",")
    dataset = training.load_data(config)
    check_metrics(config, names, dataset)
    check_writable(RunFolder(config.require_run_dir(), config))
    model, folder = training.load_model(config, dataset.levels)
    measured = LoadedRun(config=config, folder=folder, dataset=dataset, model=model)
    for name in names:
        print(f"{name}, {config.split} images, checkpoint {config.checkpoint} (step {model.num_steps})")
        print(measure(measured, name))
    print(f"stored in {folder.evaluation}")

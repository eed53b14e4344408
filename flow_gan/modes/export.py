"""--mode=export: a run's weights as a SavedModel."""

import pathlib
import shlex

from flow_gan import data, training
from flow_gan import export as export_module
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.training.run_config import run_config


def run(given: dict) -> None:
    """Write the run as a SavedModel; print its differences from the run, and how to call it."""
    config = run_config(given)
    own = pathlib.Path(config.require_run_dir()) / "export" / config.checkpoint
    path = own if config.export_dir is None else pathlib.Path(config.export_dir)
    export_module.check_path(path)
    levels = data.levels_of(config.dataset, config.levels)
    model, _ = training.load_model(config, levels)
    differences = export_module.export(model, path)
    print(f"checkpoint {config.checkpoint} (step {model.num_steps}), largest difference from the run's own results")
    found = export_module.signatures(model)
    for name, difference in differences.items():
        print(f"{name:<14} {difference}")
        print(f"{'':<14} {found[name]}")
    largest = max(difference.largest / difference.scale for difference in differences.values())
    allowed = export_module.BOUNDS[model.generator.precision]
    print(f"{'overall':<14} at most {largest:.2g}, relative to the size of the result (allowed {allowed:g})")
    if config.has_likelihood and not model.generator.has_per_image_likelihood:
        print(f"warning: {NO_PER_IMAGE_LIKELIHOOD}")
    folder = shlex.quote(str(path))
    print(f"saved_model_cli show --dir {folder} --all")
    count = "labels=[0,0,0,0]" if config.conditional else "count=4"
    print(
        f"saved_model_cli run --dir {folder} --tag_set serve --signature_def sample "
        f"--input_exprs '{count};seed=0;temperature=1.0'"
    )
    print(f"SavedModel     {path}")

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import flow_gan  # noqa: F401, I001  before TensorFlow, whose kernels it chooses
import tensorflow as tf

# Two logical devices for the tests of tf.distribute; the others use the first.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()],
)

# Files whose tests train nothing, or next to nothing: `-m quick`.
_QUICK = """
    data/test_batches data/test_dequantization data/test_digest data/test_folder data/test_images data/test_load
    evaluation/test_bandwidth evaluation/test_checks evaluation/test_image_scores
    evaluation/test_interpolation evaluation/test_mixture evaluation/test_pictures
    evaluation/test_sampling evaluation/test_scores evaluation/test_statistics evaluation/test_text
    generators/test_dcgan generators/test_make_generator generators/test_moving_averages_golden
    generators/test_nice_golden metrics/test_settings networks/test_convolution networks/test_critics
    networks/test_critics_golden networks/test_normalization report/test_claims report/test_figures
    report/test_page report/test_pictures report/test_values
    reproduction/test_learning_curves test_config test_draws test_errors test_keras_internals test_mean_and_error
    test_objectives test_project test_random test_versions training/test_batch_norm_statistics training/test_chief
    training/test_files training/test_output training/test_resume training/test_run_folder training/test_steps
"""


def pytest_collection_modifyitems(items):
    """Mark the quick tests."""
    quick = {f"{name}.py" for name in _QUICK.split()}
    here = pathlib.Path(__file__).parent
    missing = sorted(name for name in quick if not (here / name).exists())
    assert not missing, f"_QUICK names files that are not there: {', '.join(missing)}"
    for item in items:
        if item.path.relative_to(here).as_posix() in quick:
            item.add_marker(pytest.mark.quick)

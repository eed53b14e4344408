import gc
import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import flow_gan  # noqa: F401, I001  before TensorFlow, whose kernels it chooses
import tensorflow as tf

pytest.register_assert_rewrite("tests.helpers")

# Two logical devices for the tests of tf.distribute; the others use the first.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()],
)

# Files whose tests train nothing, or next to nothing: `-m quick`.
_QUICK = """
    data/test_batches data/test_dequantization data/test_digest data/test_folder data/test_images data/test_load
    data/test_mapped
    evaluation/test_bandwidth evaluation/test_checks evaluation/test_image_scores evaluation/test_interpolation
    evaluation/test_kid evaluation/test_mixture evaluation/test_pictures evaluation/test_prdc evaluation/test_sampling
    evaluation/test_scores
    evaluation/test_statistics evaluation/test_text generators/test_dcgan generators/test_make_generator
    generators/test_moving_averages_golden generators/test_nice_golden metrics/test_pictures metrics/test_settings
    networks/test_convolution networks/test_dense networks/test_critics networks/test_critics_golden
    networks/test_norm_gradients networks/test_normalization
    report/test_claims report/test_figures report/test_image_figures report/test_page report/test_pictures
    report/test_values reproduction/test_findings reproduction/test_learning_curves
    training/test_batch_norm_statistics training/test_chief training/test_files training/test_output
    training/test_resume training/test_run_folder training/test_steps test_config test_draws test_errors
    test_keras_internals test_mean_and_error test_objectives test_package test_probability test_project test_random
    test_summary test_versions
    evaluation/test_auroc evaluation/test_input_complexity report/test_histograms test_device
"""


# Those that take longest, the longest first: begun first, so that all processes end at about the same time.
_LONGEST = """
    training/test_training test_model training/test_multi_worker modes/test_modes test_special_values
    training/test_faults training/test_killed modes/test_own_images generators/test_battery evaluation/test_ais
    evaluation/test_jacobian reproduction/test_reproduce test_findings
"""


@pytest.fixture
def eagerly():
    """A few steps of a tiny model take less time than the trace of one."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def pytest_collection_modifyitems(items):
    """Mark the quick tests, and let the longest files begin."""
    quick = {f"{name}.py" for name in _QUICK.split()}
    here = pathlib.Path(__file__).parent
    longest = {f"{name}.py": place for place, name in enumerate(_LONGEST.split())}
    missing = sorted(name for name in (*quick, *longest) if not (here / name).exists())
    assert not missing, f"_QUICK or _LONGEST names files that are not there: {', '.join(missing)}"
    items.sort(key=lambda item: longest.get(item.path.relative_to(here).as_posix(), len(longest)))
    for item in items:
        if item.path.relative_to(here).as_posix() in quick:
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish():
    """Let Python's garbage collector pass over what was imported, which stays; it would look at all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def models():
    """`ReusedModels` of this process."""
    from tests.helpers.reused_models import ReusedModels

    return ReusedModels()


@pytest.fixture(scope="session", autouse=True)
def reused_models(models):
    """Runs train models that are built and traced already, where there are any of their settings."""
    with models.used():
        yield


@pytest.fixture
def new_models(models):
    """Runs of this test build their models."""
    with models.set_aside():
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are empty, which takes a tenth of the time; {stem: function that would have drawn it}."""
    from flow_gan.reproduction.sections.context import Context

    functions = {}

    def draw(context, stem, draw, **_):
        functions[stem] = draw
        path = context.folder / f"{stem}.svg"
        path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        return path

    monkeypatch.setattr(Context, "draw", draw)
    return functions

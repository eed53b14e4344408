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


# Further cases of what other tests try as well; they are slow, too, and each takes ten seconds or more.
_FURTHER = """
    benchmark/test_benchmark.py::test_figures_agree_with_each_other[objective0]
    evaluation/test_jacobian.py::test_singular_values[nice-7]
    evaluation/test_nll.py::test_the_default_job_beats_a_diagonal_gaussian
    evaluation/test_nll.py::test_the_error_of_bfloat16_shows[real_nvp]
    evaluation/test_nll.py::test_the_error_of_float32_is_that_to_float64[real_nvp, by the batch]
    evaluation/test_nll_terms.py::test_the_terms_add_up_to_the_nll[real_nvp, by the batch]
    evaluation/test_nll_terms.py::test_the_terms_add_up_to_the_nll[glow]
    metrics/test_ood.py::test_other_files_of_a_list_are_measured_anew
    test_docs.py::test_extending_from_python
    test_findings.py::test_an_experiment_and_that_nothing_is_made_twice
    test_inputs.py::test_keras_s_own_critics_train[<lambda>]
    test_model.py::test_fresh_batches[released-expected1]
    test_model.py::test_two_replicas_equal_one[adv-wgan-batch]
    test_model.py::test_two_replicas_equal_one[hybrid-wgan-moving]
    test_notebooks.py::test_your_own_images
    test_original.py::test_a_checkpoint_with_a_critic_and_an_optimizer[loss_real_nvp_wgan]
    test_original.py::test_replicas_start_from_a_checkpoint
    training/test_averaged_weights.py::test_two_replicas_average_as_one_device
    training/test_faults.py::test_a_signal_saves_and_leaves[between]
    training/test_faults.py::test_a_signal_saves_and_leaves[in a checkpoint's write]
    training/test_faults.py::test_whatever_cannot_be_written[TensorBoard]
    training/test_faults.py::test_whatever_cannot_be_written[metrics.jsonl]
    training/test_training.py::test_data_on_the_device_trains_the_same[shared]
    training/test_training.py::test_real_nvp_resumes
    training/test_training.py::test_the_magnitudes_of_a_step_are_those_that_it_had[objective1]
    training/test_training.py::test_what_the_last_update_spoilt_is_not_saved[adv]
"""


@pytest.fixture
def eagerly():
    """A few steps of a tiny model take less time than the trace of one."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def pytest_collection_modifyitems(items):
    """Mark the quick and the slow tests, and let the longest files begin."""
    further = {line.strip() for line in _FURTHER.strip().splitlines()}
    quick = {f"{name}.py" for name in _QUICK.split()}
    here = pathlib.Path(__file__).parent
    longest = {f"{name}.py": place for place, name in enumerate(_LONGEST.split())}
    missing = sorted(name for name in (*quick, *longest) if not (here / name).exists())
    assert not missing, f"_QUICK or _LONGEST names files that are not there: {', '.join(missing)}"
    missing = sorted(case for case in further if not _has_test(here, case))
    assert not missing, f"_FURTHER names tests that are not there: {', '.join(missing)}"
    items.sort(key=lambda item: longest.get(item.path.relative_to(here).as_posix(), len(longest)))
    for item in items:
        if item.path.relative_to(here).as_posix() in quick:
            item.add_marker(pytest.mark.quick)
        if item.nodeid.removeprefix("tests/") in further:
            item.add_marker(pytest.mark.slow)


def _has_test(folder, case):
    name, test = case.partition("[")[0].split("::")
    return (folder / name).exists() and f"def {test}(" in (folder / name).read_text(encoding="utf-8")


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

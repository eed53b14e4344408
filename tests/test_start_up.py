"""A command says what it found and nothing of TensorFlow's; what went wrong still comes through."""

import os
import pathlib
import re
import subprocess
import sys

from tests.helpers.runs import SMALL

ROOT = pathlib.Path(__file__).parents[1]
FLAGS = [*(f"--{name}={value}" for name, value in SMALL.items()), "--max_steps=2", "--run_dir=run"]


def standard_error(folder, script, **variables):
    """Return what a script writes to standard error in a folder, its variables as a user has them."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CUDA_"))}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_commands_show_progress_and_no_more(tmp_path):
    """Training, and Jacobians in float64, of which oneDNN has something to say."""
    evaluate = ["--mode=evaluate", "--run_dir=run", "--metrics=jacobian"]
    script = f"from flow_gan.main import main\nassert main({FLAGS!r}) == 0 and main({evaluate!r}) == 0"
    told = standard_error(tmp_path, script)
    lines = [line for line in re.split(r"[\r\n]+", told) if line.strip()]
    assert [line for line in lines if not re.match(r"(training|Jacobians): ", line)] == []
    assert "training: 2/2" in told


def test_a_command_imports_only_what_it_needs(tmp_path):
    """Others can be imported afterwards."""
    script = (
        "import gc, sys\n"
        "sys.argv = ['flow_gan', '--dataset=./nothing.npy']\n"
        "from flow_gan.main import main\n"
        "assert main() == 2 and 'keras' in sys.modules and gc.isenabled()\n"
        "assert not {'IPython', 'matplotlib', 'pandas', 'scipy.stats', 'sklearn'} & sys.modules.keys()\n"
        "import matplotlib.pyplot, pandas, scipy.stats, sklearn.base\n"
    )
    assert standard_error(tmp_path, script).startswith("error: ")


def test_other_programs_have_all_of_keras(tmp_path):
    script = (
        "import flow_gan, keras\n"
        "from keras.src.trainers.data_adapters import array_slicing\n"
        "assert array_slicing.pandas is not None\n"
        "keras.wrappers.SKLearnClassifier(keras.Sequential())\n"
    )
    assert standard_error(tmp_path, script) == ""


def import_in_vain(folder, **variables):
    """Return what is told of the import of a TensorFlow that writes two lines, as C does, and fails."""
    (folder / "tensorflow.py").write_text(
        "import os\n"
        "os.write(2, b'I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on.\\nE0000 a GPU is broken\\n')\n"
        "raise ImportError('no such file')\n",
        encoding="utf-8",
    )
    script = (
        "import flow_gan\ntry:\n    import tensorflow\nexcept ImportError as error:\n    assert 'no such' in str(error)"
    )
    return standard_error(folder, script, **variables)


def test_what_went_wrong_is_told(tmp_path):
    assert import_in_vain(tmp_path) == "E0000 a GPU is broken\n"


def test_whoever_asks_for_it_is_told_all(tmp_path):
    assert "oneDNN" in import_in_vain(tmp_path, TF_CPP_MIN_LOG_LEVEL="0")


def test_the_experiments_say_nothing_of_tensorflow(tmp_path):
    script = "from examples.findings.__main__ import main\nassert main(['--help']) == 0"
    assert standard_error(tmp_path, script) == ""

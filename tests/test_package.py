"""What is there after `import flow_gan`, and what that costs."""

import pathlib
import subprocess
import sys
import tomllib

import flow_gan

ROOT = pathlib.Path(__file__).parents[1]


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names_are_there_after_the_import():
    code = "import sys, flow_gan\n"
    code += "slow = {'tensorflow', 'keras', 'numpy', 'matplotlib'} & sys.modules.keys()\n"
    code += "assert not slow, slow\n"
    code += "missing = [name for name in flow_gan.__all__ if getattr(flow_gan, name, None) is None]\n"
    code += "assert not missing and set(flow_gan.__all__) <= set(dir(flow_gan)), missing\n"
    code += "print(flow_gan.evaluation.evaluate_nll.__name__, flow_gan.training.train.__name__)"
    assert run_python(code) == "evaluate_nll train\n"


def test_the_version_stands_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "flow_gan.__version__"}
    assert [part.isdigit() for part in flow_gan.__version__.split(".")] == [True] * 3

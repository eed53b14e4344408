"""What is there after `import flow_gan`, and what that costs."""

import dataclasses
import importlib
import inspect
import pathlib
import subprocess
import sys
import tomllib

import flow_gan
from tests.helpers.modules import MODULES

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


def test_what_holds_arrays_does_not_print_them():
    """A result at a prompt is a line, however many images it is of."""
    found = []
    for module in MODULES:
        for name, value in inspect.getmembers(importlib.import_module(module), inspect.isclass):
            if not dataclasses.is_dataclass(value) or value.__module__ != module or name == "Split":
                continue
            for field in dataclasses.fields(value):
                is_array = "ndarray" in str(field.type) and "Callable" not in str(field.type)
                if field.repr and (is_array or (field.name.endswith("per_image") and field.name != "is_per_image")):
                    found.append(f"{name}.{field.name}")
    assert found == []
    nll = flow_gan.evaluation.NLL(
        nats=1.0, nats_standard_error=0.1, num_images=9, size=4, levels=17, nats_per_image=[1.0] * 9
    )
    assert "\n" not in repr(nll) and "[" not in repr(nll)

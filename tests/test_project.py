"""The project's own rules: style, one-way imports, examples that run."""

import ast
import doctest
import importlib
import pathlib
import re
import subprocess
import sys

import pytest

from flow_gan import config
from tests.helpers.modules import MODULES

ROOT = pathlib.Path(__file__).parents[1]
PRESETS = sorted((ROOT / "flow_gan" / "presets").glob("*.flags"))


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"]])
def test_style(command):
    done = subprocess.run([sys.executable, "-m", *command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_text_is_utf_8_whatever_the_locale_says():
    """What ruff's PLW1514 does not see: methods of paths whose type it cannot tell, and the output of processes."""
    found = []
    for path in (*(ROOT / "flow_gan").rglob("*.py"), *(ROOT / "examples").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                keywords = {keyword.arg for keyword in call.keywords}
                is_text = call.func.attr in ("read_text", "write_text") or keywords & {"text", "universal_newlines"}
                if is_text and "encoding" not in keywords:
                    found.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert found == []


def test_imports_go_one_way():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0 and "2 kept, 0 broken" in done.stdout, done.stdout + done.stderr


def test_test_files_share_helpers_and_do_not_import_each_other():
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                if module.split(".")[0] == "tests" and not f"{module}.".startswith("tests.helpers."):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {module}")
    assert found == []


def test_types_agree():
    done = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def untyped_functions(tree, scope=()):
    """Yield (line, name) of public functions and methods that lack the type of an argument or of what they return."""
    for node in ast.iter_child_nodes(tree):
        name = getattr(node, "name", "")
        if name.startswith("_") and not name.endswith("__"):
            continue
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            # The first of a method, the instance or the class, has none.
            arguments = arguments[1:] if isinstance(tree, ast.ClassDef) else arguments
            arguments += [rest for rest in (node.args.vararg, node.args.kwarg) if rest]
            returns = node.returns is not None or name == "__init__"
            if not returns or any(argument.annotation is None for argument in arguments):
                yield node.lineno, ".".join([*scope, name])
        elif isinstance(node, ast.ClassDef):
            yield from untyped_functions(node, (*scope, name))
        else:
            yield from untyped_functions(node, scope)


def test_public_functions_have_types():
    found = []
    for path in (ROOT / "flow_gan").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(ROOT)}:{line} {name}" for line, name in untyped_functions(tree)]
    assert found == []


def test_untyped_functions_are_found():
    source = """
def whole(a: int, *rest: int, b: int = 1, **more: int) -> int: ...
def no_argument(a, b: int) -> int: ...
def no_result(a: int): ...
def no_rest(*rest) -> int: ...
def _private(a): ...
if True:
    def inside(a): ...
class Public:
    def __init__(self, a: int): ...
    def __len__(self): ...
    def method(self, a: int) -> None:
        def local(b): ...
    def other(self, *, a) -> None: ...
class _Private:
    def method(self, a): ...
"""
    found = [name for _, name in untyped_functions(ast.parse(source))]
    assert found == ["no_argument", "no_result", "no_rest", "inside", "Public.__len__", "Public.other"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = [t for m in MODULES for t in finder.find(importlib.import_module(m)) if t.examples]
    assert examples


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_preset(preset):
    """Every preset parses, gives a valid configuration, and tells its command, result and time."""
    given = config.preset(preset.stem)
    assert config.Config(**given).run_dir is None
    header = [line for line in preset.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    text = " ".join(header)
    assert f"--preset={preset.stem} " in f"{text} "
    assert "Expected" in text and "Measured on" in text and "TBD" not in text


def test_runs_has_the_presets_and_no_copy_of_them():
    """`--flagfile=runs/NAME.flags` is `--preset=NAME`."""
    links = {path.name: path for path in (ROOT / "runs").glob("*.flags")}
    assert {name: link.resolve() for name, link in links.items()} == {preset.name: preset for preset in PRESETS}
    assert all(link.is_symlink() and not link.readlink().is_absolute() for link in links.values())


def test_there_are_presets():
    names = set(config.PRESETS)
    assert names == {preset.stem for preset in PRESETS}
    objectives = ("mle", "adv", "hybrid")
    assert names >= {f"{data}_nice_{objective}" for data in ("mnist", "digits") for objective in objectives}
    assert "mnist_nice_hybrid_paper" in names
    for objective in (*objectives, "hybrid_paper"):
        assert {f"cifar10_real_nvp_{objective}", f"cifar10_real_nvp_{objective}_small"} <= names


def test_results_name_no_path_of_a_machine():
    """Of those who made them: they are read on other machines."""
    path = re.compile(r"(?<![\w.:/<])/(?:home|root|tmp|var|work|mnt|media|data|scratch|Users)/[\w.-]+")
    files = [
        file for file in (ROOT / "runs" / "results").rglob("*") if file.suffix in (".html", ".csv", ".json", ".svg")
    ]
    assert files
    for file in [*files, *PRESETS, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        assert path.findall(file.read_text(encoding="utf-8")) == [], file


def test_the_main_job_has_a_preset():
    assert config.Config(**config.preset("digits_nice_hybrid")) == config.Config()


# The original README's values that all three MNIST experiments share.
RELEASED = {
    **{"dataset": "mnist", "batch_size": 100, "learning_rate": 1e-4, "beta1": 0.5, "alpha": 1e-7, "reg": 10.0},
    **{"no_of_layers": 5, "hidden_layers": 1000, "epoch": 500, "prior": "logistic", "lr_decay": 1.0, "f_div": "wgan"},
}


@pytest.mark.parametrize(
    "name, n_critic, like_reg",
    [("mle", 0, None), ("adv", 5, 0.0), ("hybrid", 5, 1.0), ("hybrid_paper", 5, 0.1)],
)
def test_mnist_presets_have_the_release_s_values(name, n_critic, like_reg):
    given = config.preset(f"mnist_nice_{name}")
    assert given.items() >= RELEASED.items()
    assert given["n_critic"] == n_critic and like_reg in (None, given["like_reg"])


# The original README's commands for CIFAR-10, and the release's defaults where they say nothing.
CIFAR = {
    **{"dataset": "cifar", "model_type": "real_nvp", "prior": "gaussian", "alpha": 1e-7, "batch_size": 64},
    **{"no_of_layers": 8, "filters": 64, "scales": 2, "f_div": "wgan", "reg": 10.0, "df_dim": 64},
}


@pytest.mark.parametrize(
    "name, own",
    [
        ("mle", {"n_critic": 0, "beta1": 0.9, "learning_rate": 1e-3, "lr_decay": 0.999995, "batch_norm_adaptive": 0}),
        ("adv", {"n_critic": 5, "like_reg": 0.0, "beta1": 0.5, "learning_rate": 1e-4, "lr_decay": 1.0, "epoch": 300}),
        (
            "hybrid",
            {"n_critic": 5, "like_reg": 20.0, "beta1": 0.5, "learning_rate": 1e-3, "lr_decay": 0.99999, "epoch": 500},
        ),
        ("hybrid_paper", {"n_critic": 5, "like_reg": 1.0, "learning_rate": 1e-3, "batch_norm_adaptive": 1}),
    ],
)
def test_cifar10_presets_have_the_release_s_values(name, own):
    given = config.preset(f"cifar10_real_nvp_{name}")
    assert given.items() >= (CIFAR | own).items()
    small = config.preset(f"cifar10_real_nvp_{name}_small")
    assert all(small[k] == own[k] for k in ("n_critic", "like_reg") if k in own)

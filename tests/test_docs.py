"""The pages: the site builds, links and commands are right, the Python runs, and the changes that are shown work."""

import dataclasses
import html
import inspect
import os
import pathlib
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import typing

import pytest

from flow_gan import config
from flow_gan.reproduction.settings import SCALES

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *DOCS.glob("*.md"))}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built without a network and with every warning as an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | nowhere)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def commands(page):
    """Return the arguments of each `python -m flow_gan.main` of a page, the optional ones too."""
    found = re.findall(r"python -m flow_gan\.main([^\n`&]*)", PAGES[page])
    return [[word.strip("[]").partition("|")[0] for word in shlex.split(words, comments=True)] for words in found]


def run_python(page):
    """Run the Python of a page, one block after the other; return its names."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGES[page], re.DOTALL):
        exec(block, names)
    return names


def test_every_flag_is_on_its_page(site):
    page = (site / "flags" / "index.html").read_text(encoding="utf-8")
    rows = dict(re.findall(r"<td><code>--(\w+)</code></td>\s*<td>(.*)</td>\s*<td>.+</td>", page))
    for field in dataclasses.fields(config.Config):
        expected = "" if field.default is None else f"<code>{html.escape(str(field.default))}</code>"
        assert rows.get(field.name) == expected, field.name


def test_the_api_is_documented(site):
    page = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in ("flow_gan.FlowGAN.fit", "flow_gan.generators.Generator.sample", "flow_gan.evaluation.evaluate_nll"):
        assert f'id="{name}"' in page, name


def test_the_api_has_what_its_functions_take_and_return():
    documented = [pkgutil.resolve_name(name) for name in re.findall(r"^::: (\S+)$", PAGES["api.md"], re.MULTILINE)]
    for function in filter(inspect.isfunction, documented):
        for name, hint in typing.get_type_hints(function).items():
            for part in parts_of(hint):
                is_ours = inspect.isclass(part) and part.__module__.startswith("flow_gan.")
                assert not is_ours or part in documented, f"{name} of {function.__name__} is a {part.__name__}"


def parts_of(hint):
    """Yield a type and those that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from parts_of(part)


def test_nothing_of_the_site_is_fetched_from_elsewhere(site):
    for path in (*site.rglob("*.html"), *site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*", text) == [], path
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", text) == [], path


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_commands_are_right(page, monkeypatch):
    """Every flag is known, its value of its type and, but for what a page adds itself, the whole is allowed."""
    monkeypatch.chdir(ROOT)
    for words in commands(page):
        given, _ = config.parse(words)
        if page != "extending.md":
            config.Config(**given)


def test_steps_of_the_scales():
    """The table has all numbers of steps, beside what they are of."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", PAGES["reproduction.md"], re.MULTILINE)
    cells = {
        (dataset, scale): cell for scale, *of in rows for dataset, cell in zip(SCALES, of, strict=True) if cell != "–"
    }
    assert cells.keys() == {(dataset, scale) for dataset, scales in SCALES.items() for scale in scales}
    roles = {"MLE": "mle", "ADV": "adv", "hybrid": "hybrid", "DCGAN": "dcgan_wgan"}
    roles |= {"trade-off": "sweep", "ablation": "ablation"}
    for (dataset, scale), cell in cells.items():
        steps = SCALES[dataset][scale].steps
        assert {f"{count:,}" for count in steps.values()} <= set(re.findall(r"[\d,]*\d", cell)), (dataset, scale)
        for name, count in re.findall(rf"({'|'.join(roles)}) ([\d,]*\d)", cell):
            assert f"{steps[roles[name]]:,}" == count, (dataset, scale, name)


def test_files_that_the_pages_name_exist():
    paths = set(re.findall(r"\b(?:runs|tests)/[\w/-]+\.(?:flags|png|html|md|py)", "\n".join(PAGES.values())))
    paths = {path for path in paths if not re.match(r"runs/\w+-\d/", path)}  # Those of a run are made by it.
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path


def test_every_preset_is_shown():
    name = r"\w+_(?:nice|real_nvp|glow|dcgan)_\w+"
    rows = set(re.findall(rf"^\| `({name})` \|", PAGES["getting_started.md"], re.MULTILINE))
    assert rows == {path.stem for path in (ROOT / "runs").glob("*.flags")}


def test_python_from_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run_python("python.md")
    assert names["outcome"].last_step == 20 and (tmp_path / "runs" / "from_python" / "config.json").exists()
    run = names["run"]
    assert run.config.checkpoint == "best" and run.levels == 17 and names["log_p"].shape == (250,)
    assert names["resumed"].num_steps == 26 + 13
    optimizers = names["model"].optimizer, names["model"].critic_optimizer
    assert len({float(optimizer.learning_rate) for optimizer in optimizers}) == 1 and names["model"].num_steps >= 39
    assert names["log_prob"].shape == [250] and names["z"].shape == [250, 64]
    assert abs(names["again"] - names["images"]).numpy().max() < 1e-4
    assert names["samples"].shape == [16, 8, 8, 1] and names["density"].event_shape == (8, 8, 1)
    assert names["nll"].num_images == 250 and "nats" in capsys.readouterr().out
    assert len(names["history"].history["validation_nll"]) == 3
    assert names["glow_mle"].num_steps == 2 and names["glow"].is_initialized
    assert names["baseline"].shape == (3,) and (tmp_path / "real_nvp.weights.h5").exists()


def test_extending_from_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run_python("extending.md")
    assert names["model"].num_steps == 13 and names["history"].history["critic_loss"]
    assert names["hinge_model"].num_steps == names["shrinking"].num_steps == 13 and (tmp_path / "hinge.keras").exists()
    assert names["own_real_nvp"].sample(2).shape == (2, 8, 8, 3)
    assert names["stripes"].shape == (600, 8, 8, 1) and len(set(names["stripes"].ravel())) == 2
    assert names["outcome"].dataset.levels == 256 and len(names["outcome"].dataset.validation) == 100
    assert "(100 images)" in capsys.readouterr().out


def test_extending_the_package(tmp_path):
    """In a copy of the package with the changes of the page, its commands run, and imports still go one way.

    What is new can do what the package's own can: the generator and the critic take labels.
    """
    shutil.copytree(ROOT / "flow_gan", tmp_path / "flow_gan", ignore=shutil.ignore_patterns("__pycache__"))
    files = re.findall(r'```python title="(\S+)"\n(.*?)```', PAGES["extending.md"], re.DOTALL)
    changes = re.findall(r"```diff\n--- (\S+)\n(.*?)```", PAGES["extending.md"], re.DOTALL)
    assert files and changes
    for file, text in files:
        assert not (tmp_path / file).exists(), file
        (tmp_path / file).write_text(text, encoding="utf-8")
    for file, lines in changes:
        before = "".join(line[1:] for line in lines.splitlines(keepends=True) if line[0] in " -")
        after = "".join(line[1:] for line in lines.splitlines(keepends=True) if line[0] in " +")
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{file} has no such lines:\n{before}"
        (tmp_path / file).write_text(text.replace(before, after), encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lint = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run([sys.executable, "-c", lint], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    labelled = [
        "--model_type=independent",
        "--critic=plain",
        "--conditional",
        "--n_critic=1",
        "--df_dim=4",
        "--max_steps=2",
    ]
    run = [*commands("extending.md"), labelled]
    script = "import sys\nfrom flow_gan import data\nfrom flow_gan.main import main\n"
    script += f"for words in {run!r}:\n    if main(words):\n        sys.exit(1)\n"
    script += "print(data.known_dataset('kmnist'))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trainings = [words for words in run if not any(word.startswith("--mode=") for word in words)]
    assert done.stdout.count("\ntest NLL ") == len(trainings) and "held_out=10000" in done.stdout
    assert re.search(r"\nsamples 0\.\d+, test images 0\.\d+\n", done.stdout) and " Brightness " in done.stdout

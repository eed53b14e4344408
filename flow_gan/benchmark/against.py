"""The same training by this package and by a plain PyTorch loop, timed in turn."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from flow_gan.config import Config
from flow_gan.errors import UserError, brief
from flow_gan.progress import progress

LIBRARIES = ("torch",)

# {setting: its values that the loop has}. Those of the second kind matter only with a critic.
_HAS = {"model_type": ("nice", "real_nvp"), "precision": ("float32",)}
_HAS_WITH_CRITIC = {"f_div": ("wgan",), "critic_batches": ("shared",)}
# Settings that the loop takes by the same name.
_TAKEN = (
    *("model_type", "prior", "alpha", "scales", "filters", "critic", "df_dim", "n_critic", "like_reg", "reg"),
    *("batch_size", "learning_rate", "beta1", "beta2"),
)


def check(config: Config, library: str, pairs: int) -> None:
    """Raise `UserError` if the library is unknown or missing, or if its loop does not have what is configured."""
    if library not in LIBRARIES:
        raise UserError(f"--against={library}; expected {' or '.join(LIBRARIES)}")
    if pairs < 1:
        raise UserError(f"--pairs={pairs}; expected 1 or more")
    for name, choices in (_HAS | (_HAS_WITH_CRITIC if config.n_critic else {})).items():
        value = getattr(config, name)
        if value not in choices:
            raise UserError(f"--{name}={value} with --against={library}; expected {' or '.join(choices)}")
    if importlib.util.find_spec(library) is None:
        raise UserError(f"--against={library} needs PyTorch, which is not installed; pip install {library}")


def compare(argv: Sequence[str], steps: int, pairs: int) -> dict:
    """Return the steps' times of both in each pair, as JSON takes them.

    Each is timed in a process of its own, one after the other, and the other way round in every second pair, so that
    what else the machine does meets both.

    Args:
      argv: flags of the benchmark.
      steps: to time, besides the first.
      pairs: how often.
    """
    module = "flow_gan.benchmark"
    results: dict[str, list[dict]] = {"ours": [], "torch": []}
    settings: dict[str, Any] = {}
    for i in progress(range(2 * pairs), "timing"):
        is_ours = i % 4 in (0, 3)
        # The last value of a flag counts.
        command = [module, *argv, "--against=", "--json"] if is_ours else [f"{module}.torch_loop", json.dumps(settings)]
        result = _run(command)
        results["ours" if is_ours else "torch"].append(result)
        if is_ours:
            settings = _settings(result["config"], steps)
    ours = [result["step"]["median"] for result in results["ours"]]
    theirs = [statistics.median(result["steps"]) for result in results["torch"]]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "ours": ours,
        "torch": theirs,
        "ratios": ratios,
        "ratio": statistics.median(ratios),
        "peak_memory": {name: max(result["peak_memory"] for result in found) for name, found in results.items()},
        "torch_version": results["torch"][0]["version"],
        "has_norms": bool(settings["batch_norm"]),
    }


def _settings(config, steps):
    """Return what the loop takes, of a configuration with the defaults that depend on the data filled in."""
    return {name: config[name] for name in _TAKEN} | {
        "image_shape": [config["input_height"], config["input_width"], config["c_dim"]],
        "hidden_units": config["hidden_layers"],
        "num_layers": config["no_of_layers"],
        "batch_norm": config["batch_norm"],
        "steps": steps,
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }


def _run(command):
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["without a message"]
        raise UserError(f"{command[0]} failed: {brief(ValueError(lines[-1].removeprefix('error: ')))}")
    return json.loads(done.stdout)


def text(result: dict) -> str:
    """Return the figures of `compare` as a table."""
    lines = [f"{'pair':>4}  {'ours':>9}  {'PyTorch':>9}  ours / PyTorch"]
    rows = zip(result["ours"], result["torch"], result["ratios"], strict=True)
    lines += [f"{i:4}  {a:7.4f} s  {b:7.4f} s  {ratio:.2f}" for i, (a, b, ratio) in enumerate(rows, 1)]
    lines.append(f"median of the ratios {result['ratio']:.2f}")
    memory = result["peak_memory"]
    lines.append(f"peak memory {memory['ours'] / 1e9:.2f} GB, PyTorch {memory['torch'] / 1e9:.2f} GB")
    norms = "; ours has norms in the flow's networks, PyTorch's loop has none" if result["has_norms"] else ""
    lines.append(f"PyTorch {result['torch_version']} with fused Adam{norms}")
    return "\n".join(lines)

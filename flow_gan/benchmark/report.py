"""A benchmark's figures in words."""

HELP = """\
Time the training of a configuration, and compare it with the best that this machine can do.

  python -m flow_gan.benchmark [--flags of flow_gan.main]
      --steps=20   training steps to time, besides the first
      --against=torch
                   time a plain PyTorch loop for the same flow, too, in turn, and print the ratios; PyTorch is no
                   dependency: install it first (pip install torch)
      --pairs=3    with --against: how often both are timed
      --json       print JSON alone

A model is trained for a few steps in a folder that is deleted afterwards. The floor is the step's necessary matrix
products and convolutions and the optimizer's memory traffic, at the best rates that TensorFlow reaches here."""


def text(result: dict) -> str:
    """Return the figures of `benchmark` as a table."""
    step, limits, cost, evaluated = result["step"], result["limits"], result["cost"], result["evaluation"]
    stages = [(name, seconds) for name, seconds in result["start_up"].items() if name != "total"]
    lines = ["start-up, from the process's start to the end of the first step"]
    lines += [_seconds(*stage) for stage in [*stages, ("total", result["start_up"]["total"])]]
    lines += [
        "",
        f"step, median of {step['steps']}, {step['shortest']:.4f} to {step['longest']:.4f} s",
        *(_seconds(*part) for part in (step["parts"] or {}).items()),
        _seconds("total", step["median"]),
        _seconds("data, while the step before runs", step["data"]),
        "",
        _figure("images per second", f"{result['images_per_second']:.1f}"),
        _figure("peak memory", f"{result['peak_memory'] / 1e9:.2f} GB"),
        "",
        "this machine's best rates",
        _figure("matrix products", f"{limits['matmul_flops'] / 1e9:.1f} GFLOP/s"),
        _figure("convolutions", f"{limits['convolution_flops'] / 1e9:.1f} GFLOP/s"),
        _figure("memory", f"{limits['bandwidth'] / 1e9:.1f} GB/s"),
        "",
        "what a step has to do",
        _figure("matrix products", f"{cost['matmul_flops'] / 1e9:.2f} GFLOP"),
        _figure("convolutions", f"{cost['convolution_flops'] / 1e9:.2f} GFLOP"),
        _figure("optimizer", f"{cost['optimizer_bytes'] / 1e9:.3f} GB"),
        _seconds("floor", result["floor"]),
        _figure("step / floor", f"{result['ratio']:.2f}"),
        "",
        "1,000 images",
        *([_against("their NLL", evaluated["nll"], evaluated["floor"])] if evaluated["nll"] else []),
        _against("sampling them", evaluated["sampling"], evaluated["floor"]),
        "",
        f"the whole run: {result['run']['steps']:,} steps and {result['run']['validations']:,} validations of "
        f"{result['run']['validation']:.2f} s, about {_duration(result['run']['seconds'])}",
    ]
    for reason in result["too_busy"]:
        lines += ["", f"warning: the machine is too busy for these figures to mean much: {reason}"]
    return "\n".join(lines)


def _figure(name, value):
    return f"  {name:<34}{value:>18}"


def _against(name, per_image, floor):
    return _figure(name, f"{1000 * per_image:.4f} s") + f"  {per_image / floor:.2f} x floor"


def _seconds(name, seconds):
    return _figure(name, f"{seconds:.4f} s")


def _duration(seconds):
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"

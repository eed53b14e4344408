"""The command line: python -m flow_gan.benchmark [--flags of main] [--steps=N] [--json]."""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags

from flow_gan import command_line
from flow_gan import config as config_module
from flow_gan.benchmark import limits as limits_module
from flow_gan.benchmark import report
from flow_gan.benchmark.cost import evaluation_cost, step_cost
from flow_gan.benchmark.timing import time_training
from flow_gan.errors import UserError
from flow_gan.training import num_steps, watched_images

DEFAULT_STEPS = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); return the exit status."""
    return command_line.run(lambda: _main(sys.argv[1:] if argv is None else argv), "interrupted; nothing was written")


def _main(argv):
    values = config_module.define_flags()
    flags.DEFINE_integer("steps", DEFAULT_STEPS, "training steps to time, besides the first", flag_values=values)
    flags.DEFINE_boolean("json", False, "print JSON alone", flag_values=values)
    given, wants_help = config_module.parse(argv, values)
    if wants_help:
        print(report.HELP)
        return
    config = config_module.Config(**given)
    if config.mode != "train" or config.resume:
        raise UserError("a benchmark trains a new model; --mode and --resume cannot be set")
    if config.conditional:
        raise UserError("a benchmark is of models without labels; leave --conditional out")
    if values["steps"].value < 1:
        raise UserError(f"--steps={values['steps'].value}; expected 1 or more")
    result = benchmark(config, values["steps"].value)
    print(json.dumps(result, indent=2) if values["json"].value else report.text(result))


def benchmark(config: config_module.Config, steps: int) -> dict:
    """Return all figures of a configuration's training, as JSON takes them; `steps` are timed after the first."""
    load = os.getloadavg()[0]
    model, dataset, config, timing = time_training(config, steps + 1)
    before = limits_module.measure_limits()
    cost = step_cost(model, config.batch_size)
    after = limits_module.measure_limits()
    limits = limits_module.between(before, after)
    step = float(np.median(timing.steps))
    total = num_steps(config, dataset)
    validations = -(-total // config.eval_every)
    validation = (timing.nll or 0) * sum(map(len, watched_images(dataset).values()))
    start_up = sum(timing.start_up.values())
    return {
        "start_up": timing.start_up | {"total": start_up},
        "step": {
            "median": step,
            "shortest": min(timing.steps),
            "longest": max(timing.steps),
            "steps": len(timing.steps),
            "parts": timing.parts,
            "data": timing.data,
        },
        "images_per_second": timing.images_per_step / step,
        "peak_memory": timing.peak_memory,
        "limits": dataclasses.asdict(limits),
        "cost": dataclasses.asdict(cost),
        "floor": cost.seconds(limits),
        "ratio": step / cost.seconds(limits),
        "evaluation": {
            "nll": timing.nll,
            "sampling": timing.sampling,
            "floor": evaluation_cost(model.generator).seconds(limits),
        },
        "run": {
            "steps": total,
            "validations": validations,
            "validation": validation,
            "seconds": start_up + (total - 1) * step + validations * validation,
        },
        "too_busy": limits_module.why_busy(load, before, after),
        "config": dataclasses.asdict(config),
    }


if __name__ == "__main__":
    sys.exit(main())

"""All figures of a configuration's training."""

import dataclasses
import os

import numpy as np

from flow_gan.benchmark import limits as limits_module
from flow_gan.benchmark.cost import evaluation_cost, step_cost
from flow_gan.benchmark.timing import time_training
from flow_gan.config import Config
from flow_gan.training import num_steps, watched_images


def benchmark(config: Config, steps: int) -> dict:
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

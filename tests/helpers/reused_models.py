"""Models that the runs of the tests use one after the other: to build and trace one takes longer than to train it."""

import contextlib
import dataclasses
import functools
import importlib
import weakref

import pytest
import tensorflow as tf

from flow_gan import config as config_module
from flow_gan.config import generator, objective
from flow_gan.config import training as training_settings

# With the package `flow_gan.training`, some of these names are functions.
_PREPARE, _LOAD_MODEL, _TRAIN = (
    importlib.import_module(f"flow_gan.training.{name}") for name in ("prepare", "load_model", "train")
)
_SECTIONS = (generator.GeneratorSettings, objective.ObjectiveSettings, training_settings.TrainingSettings)
_OF_THE_MODEL = {field.name for section in _SECTIONS for field in dataclasses.fields(section)}
_OF_THE_MODEL |= {"input_height", "input_width", "c_dim", "horizontal_flip", "log_every"}
_OF_THE_MODEL -= {"init_from_original", "init_from_run", "epoch", "max_steps"}
_KEPT = 12


class ReusedModels:
    """Built and traced models. The next one of the same settings is one of these, as if it were new.

    All of its variables then have their initial values: weights, moving averages, the optimizers' slots, the step. A
    run that forgets to restore one ends as wrong as with a new model. What is not in a variable stays: a test that
    changes what is traced, such as a method of a model, sets these models aside.

    A model is given to no other run while there is a `TrainedRun` with it. One from `load_model` is the caller's until
    the next run of the same settings.
    """

    def __init__(self):
        self._models = {}
        self._outcomes = []
        self._build = _PREPARE.build_model

    @contextlib.contextmanager
    def used(self):
        """Where `train` and `load_model` take their models from here."""
        trained_run = _TRAIN.TrainedRun

        def remembered(**attributes):
            outcome = trained_run(**attributes)
            self._outcomes.append(weakref.ref(outcome))
            return outcome

        with pytest.MonkeyPatch.context() as patch:
            for module in (_PREPARE, _LOAD_MODEL):
                patch.setattr(module, "build_model", self._take)
            patch.setattr(_TRAIN, "TrainedRun", remembered)
            yield

    @contextlib.contextmanager
    def set_aside(self):
        """Where they build models of their own, inside `used`."""
        with pytest.MonkeyPatch.context() as patch:
            for module in (_PREPARE, _LOAD_MODEL):
                patch.setattr(module, "build_model", self._build)
            yield

    def _take(self, config: config_module.Config, levels=256):
        if (
            tf.distribute.has_strategy()
            or config.lr_schedule != "exponential"
            or (config.deterministic_ops or config.data_on_device)
        ):
            return self._build(config, levels)
        key = (levels, *((name, getattr(config, name)) for name in sorted(_OF_THE_MODEL)))
        model, initial = self._models.pop(key, (None, None))
        if model is None or self._is_in_use(model):
            model = self._build(config, levels)
            initial = [(variable, variable.numpy()) for variable in _variables(model)]
            model.trace_step = functools.cache(model.trace_step)
        else:
            assert {id(v) for v in _variables(model)} == {id(v) for v, _ in initial}, "a run has made variables"
            for variable, value in initial:
                variable.assign(value)
        self._models[key] = model, initial
        while len(self._models) > _KEPT:
            del self._models[next(iter(self._models))]
        return model

    def _is_in_use(self, model):
        self._outcomes = [one for one in self._outcomes if one() is not None]
        return any(one().model is model for one in self._outcomes)


def _variables(model):
    """Return all variables of a model and its optimizers."""
    optimizers = [model.optimizer, *([model.critic_optimizer] if model.critic is not None else [])]
    return [*model.variables, *model.nll_metric.variables, *(v for one in optimizers for v in one.variables)]

"""What computes, and how exactly it multiplies."""

import importlib
import re
import types

import pytest
import tensorflow as tf

from flow_gan import run_files
from flow_gan.device import device_name, full_float32
from flow_gan.measurement import measuring
from flow_gan.training import announcement


def has_tensor_float_32():
    return tf.config.experimental.tensor_float_32_execution_enabled()


def test_the_name_of_a_processor():
    assert re.fullmatch(r"\S.*, [1-9]\d* cores?", device_name())


def test_the_name_of_a_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["first", "second"])
    details = {"first": {"device_name": "NVIDIA H200"}}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    assert device_name() == "NVIDIA H200"


def test_float32_is_full_in_the_context_alone():
    assert has_tensor_float_32()
    with pytest.raises(ZeroDivisionError), full_float32():
        assert not has_tensor_float_32()
        _ = 1 / 0
    assert has_tensor_float_32()


def test_measures_are_in_full_float32(monkeypatch):
    def check(config, names, dataset):
        assert not has_tensor_float_32()
        raise InterruptedError

    monkeypatch.setattr(measuring, "check_metrics", check)
    run = type("Run", (), {"config": None, "dataset": None})
    for _ in range(2):
        with pytest.raises(InterruptedError):
            measuring.measure(run, "nll")
    assert has_tensor_float_32()


def test_what_a_run_was_trained_on(tmp_path):
    assert run_files.trained_on(tmp_path) is None
    for content, expected in (("{", None), ("[]", None), ('{"levels": 2}', None), ('{"device": "a GPU"}', "a GPU")):
        (tmp_path / "progress.json").write_text(content, encoding="utf-8")
        assert run_files.trained_on(tmp_path) == expected


@pytest.mark.parametrize("compiled", [False, True])
def test_a_run_on_a_gpu_says_what_makes_it_faster(compiled, monkeypatch):
    monkeypatch.setattr(announcement, "device_name", lambda: "a card")
    monkeypatch.setattr(announcement, "has_gpu", lambda: True)
    strategy = types.SimpleNamespace(num_replicas_in_sync=1)
    config = types.SimpleNamespace(jit_compile=compiled)
    run = types.SimpleNamespace(model=types.SimpleNamespace(distribute_strategy=strategy), config=config)
    hint = "" if compiled else "; --jit_compile makes steps about five times as fast here"
    assert announcement._device(run) == "a card" + hint


@pytest.mark.parametrize("mode", ["score", "interpolate", "inpaint"])
def test_likelihoods_are_in_full_float32(mode, monkeypatch):
    module = importlib.import_module(f"flow_gan.modes.{mode}")

    def stop(given):
        assert not has_tensor_float_32()
        raise InterruptedError

    monkeypatch.setattr(module, "run_config", stop)
    with pytest.raises(InterruptedError):
        module.run({})
    assert has_tensor_float_32()

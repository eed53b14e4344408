"""Training goes without TensorFlow's graph optimizer, and leaves it as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan.graph_optimizer import unoptimized_on_cpu


def is_off():
    return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


@pytest.mark.parametrize("before", [False, True])
def test_a_fit_is_not_optimized(before):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        model = flow_gan.FlowGAN(flow_gan.NICE((4, 4, 1), hidden_units=2, num_hidden_layers=0), n_critic=0)
        model.compile("adam")
        seen = []
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(is_off()))
        model.fit(np.zeros((4, 4, 4, 1), np.uint8), batch_size=2, verbose=0, callbacks=[callback])
        assert seen == [True, True]
        assert is_off() == before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def test_after_an_error_it_is_as_before():
    with pytest.raises(ValueError, match="wrong"), unoptimized_on_cpu():
        assert is_off()
        raise ValueError("wrong")
    assert not is_off()


def test_with_a_gpu_it_stays(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    with unoptimized_on_cpu():
        assert not is_off()

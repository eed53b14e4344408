"""Keras's callbacks with a model of two optimizers, whose metric is an NLL."""

import keras
import numpy as np
import pytest

import flow_gan
from flow_gan.training.optimizers import DecayToFloor

pytestmark = pytest.mark.usefixtures("eagerly")

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 17, (8, *SHAPE)).astype(np.uint8)


def make_model(rate=0.01, critic_rate=0.04, n_critic=1):
    critic = flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=2)
    model = flow_gan.FlowGAN(flow_gan.NICE(SHAPE, 4, 0), critic, n_critic=n_critic, levels=17)
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(critic_rate) if n_critic else None)
    return model


class Rates(keras.callbacks.Callback):
    """The rates of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append((float(self.model.optimizer.learning_rate), float(self.model.critic_optimizer.learning_rate)))


def rates_of(model, *callbacks, epochs=3):
    rates = Rates()
    model.fit(IMAGES, batch_size=8, epochs=epochs, callbacks=[*callbacks, rates], verbose=0, validation_data=IMAGES)
    return np.array(rates.seen)


def test_a_schedule_of_rates_acts_on_both_optimizers():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / 2**epoch)
    rates = rates_of(make_model(), scheduler)
    np.testing.assert_allclose(rates, [[0.01, 0.04], [0.005, 0.02], [0.0025, 0.01]], rtol=1e-6)


def test_rates_come_back_from_zero():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: [0.0, 0.02][epoch])
    np.testing.assert_allclose(rates_of(make_model(), scheduler, epochs=2), [[0, 0], [0.02, 0.08]], rtol=1e-6)


def test_a_plateau_reduces_both_rates():
    """With a threshold that no epoch passes, each epoch but the first is one without improvement."""
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_nll", factor=0.5, patience=1, min_delta=1e3)
    rates = rates_of(make_model(), plateau, epochs=4)
    np.testing.assert_allclose(rates, [[0.01, 0.04], [0.01, 0.04], [0.005, 0.02], [0.0025, 0.01]], rtol=1e-6)


def test_a_callback_that_sets_both_rates_is_left_alone():
    class Both(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.3 + epoch
            self.model.critic_optimizer.learning_rate = 0.7

    np.testing.assert_allclose(rates_of(make_model(), Both(), epochs=1), [[0.3, 0.7]], rtol=1e-6)


def test_a_critic_s_schedule_cannot_follow():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5)
    for model, why in (
        (make_model(critic_rate=DecayToFloor(0.1, 0.5)), "critic_optimizer has a schedule"),
        (make_model(rate=0.0), "the generator's was 0 before"),
    ):
        with pytest.raises(
            flow_gan.UserError, match=rf"learning rate to 0\.5, which the critic's cannot follow: {why};"
        ):
            rates_of(model, scheduler, epochs=1)


def test_rates_that_no_callback_sets_stay():
    schedules = make_model(DecayToFloor(0.1, 0.5), DecayToFloor(0.2, 0.5))
    np.testing.assert_allclose(rates_of(schedules, epochs=2), [[0.1, 0.2], [0.05, 0.1]], rtol=1e-6)


@pytest.mark.parametrize("n_critic", [0, 1])
@pytest.mark.parametrize("monitor", ["val_nll", "nll"])
def test_early_stopping_on_the_nll_needs_no_mode(monitor, n_critic):
    stopping = keras.callbacks.EarlyStopping(monitor=monitor, patience=1, min_delta=1e3, restore_best_weights=True)
    history = make_model(n_critic=n_critic).fit(IMAGES, epochs=5, callbacks=stopping, validation_data=IMAGES, verbose=0)
    # The lowest is the best: by 1000 nats no epoch is better than the first.
    assert len(history.history["nll"]) == 2 and stopping.best == history.history[monitor][0]


def test_a_list_of_keras_is_taken_again_and_again():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)
    model = make_model()
    callbacks = keras.callbacks.CallbackList([scheduler], add_history=True, model=model, epochs=1)
    for expected in ([0.005, 0.02], [0.0025, 0.01]):
        model.fit(IMAGES, batch_size=8, callbacks=callbacks, verbose=0)
        rates = [float(optimizer.learning_rate) for optimizer in (model.optimizer, model.critic_optimizer)]
        np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert len(callbacks.callbacks) == 3

"""A mean and its standard error, over all batches and replicas."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("flow_gan")
class MeanAndStandardError(keras.metrics.Metric):
    """Mean of values and its standard error, sd / sqrt(n), accumulated in float64 over all replicas.

    The error of a single value is unknown, NaN.
    """

    def __init__(self, name: str):
        super().__init__(name=name, dtype="float64")
        self.count, self.total, self.squares = (
            self.add_variable((), "zeros", dtype="float64", name=part) for part in ("count", "total", "squares")
        )

    def update_state(self, values: tf.Tensor, sample_weight: tf.Tensor) -> None:
        """Add `values` [batch] with weights 0 or 1."""
        weight = tf.cast(sample_weight, tf.float64)
        # Not by multiplication, since padding may hold NaN or infinity.
        values = tf.where(weight > 0, tf.cast(values, tf.float64), tf.zeros_like(weight))
        self.count.assign_add(tf.reduce_sum(weight))
        self.total.assign_add(tf.reduce_sum(values))
        self.squares.assign_add(tf.reduce_sum(tf.square(values)))

    def result(self) -> dict[str, tf.Tensor]:
        """Return {"nll": mean, "nll_standard_error": ...} with the metric's name for nll."""
        mean = self.total / self.count
        variance = (self.squares / self.count - tf.square(mean)) / tf.maximum(self.count - 1, 1)
        error = tf.where(self.count > 1, tf.sqrt(tf.maximum(variance, 0)), tf.constant(float("nan"), tf.float64))
        return {self.name: mean, f"{self.name}_standard_error": error}

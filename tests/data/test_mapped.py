import tensorflow as tf

from flow_gan.data.mapped import mapped


def test_functions_are_not_converted_by_autograph():
    status = []

    def double(number):
        status.append(tf.__internal__.autograph.control_status_ctx().status.name)
        return 2 * number

    assert list(mapped(tf.data.Dataset.range(4), double).as_numpy_iterator()) == [0, 2, 4, 6]
    assert set(status) == {"DISABLED"}

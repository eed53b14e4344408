"""Serialisation of a user's own parts in a saved model."""

from typing import Any

import keras

from flow_gan.errors import UserError


def serialize(name: str, value: Any) -> Any:
    """Return a part of a model as Keras saves it: a string as it is, a registered object or function by its name.

    Args:
      name: the constructor's argument that the part was given as.
      value: the part, or a tuple of several.

    Raises:
      UserError: it is not registered with Keras, so that the model could not be loaded.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (tuple, list)):
        return [serialize(name, part) for part in value]
    kind = value if hasattr(value, "__name__") else type(value)
    if keras.saving.get_registered_object(keras.saving.get_registered_name(kind)) is not kind:
        raise UserError(
            f"{name}={value!r} cannot be saved; expected {getattr(kind, '__name__', kind)} to be registered: put "
            "@keras.saving.register_keras_serializable() before its definition (a class needs get_config, too)"
        )
    return keras.saving.serialize_keras_object(value)

import keras
import matplotlib
import tensorflow as tf

from flow_gan import versions


def test_versions_are_those_of_the_imported_packages():
    found = versions.installed("matplotlib")
    assert list(found) == [*versions.PACKAGES, "matplotlib"] and list(versions.installed()) == [*versions.PACKAGES]
    assert (found["tensorflow"], found["keras"]) == (tf.__version__, keras.__version__)
    assert found["matplotlib"] == matplotlib.__version__

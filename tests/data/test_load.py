import numpy as np
import pytest

import flow_gan
from flow_gan import data


def test_a_path_and_numpy_s_levels(tmp_path):
    np.save(tmp_path / "images.npy", np.full((10, 4, 4), 3, np.uint8))
    for path in (tmp_path / "images.npy", str(tmp_path / "images.npy")):
        dataset = data.load(path, levels=np.int64(4))
        assert dataset.image_shape == (4, 4, 1)
        assert dataset.levels == 4 and type(dataset.levels) is int


@pytest.mark.parametrize("levels", [1, 300, 16.5])
def test_levels_out_of_range(tmp_path, levels):
    with pytest.raises(flow_gan.UserError, match=rf"--levels={levels}; expected an integer, 2 to 256"):
        data.load(tmp_path / "images.npy", levels=levels)

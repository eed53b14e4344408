"""Whether a drawn file shows something."""

import numpy as np
import PIL.Image


def looks_like_a_figure(path):
    pixels = np.asarray(PIL.Image.open(path).convert("L"))
    return pixels.shape[1] > 500 and 0.5 < np.mean(pixels > 200) < 0.995

"""Images that a finished run is applied to, and where the results go."""

import dataclasses
import functools

from flow_gan.config.setting import Section, setting

INPAINTING_METHODS = ("map", "hmc")

_setting = functools.partial(setting, identifies=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(Section):
    """Images that a finished run is applied to, and where the results go. In other modes these are an error."""

    TITLE = "Your own images"

    images: str | None = _setting(
        None,
        "images of the run's size and colour: a folder, image files separated by commas, a .npy or a .npz file, or a "
        "data set by its name, of which --split is taken. Score: the run's own data if not given. Interpolate: two "
        "images. Images of other sizes are resized if the run's own --input_height is given",
        changes_in=("score", "interpolate", "inpaint"),
        is_path=True,
        is_list=True,
    )
    mask: str | None = _setting(
        None,
        "an image of the run's height and width: --mode=inpaint fills in what is white in it and keeps what is black",
        changes_in=("inpaint",),
        is_path=True,
    )
    output: str | None = _setting(
        None,
        "new file or folder for the results; nothing is overwritten. Sample: a .npz file with the array arr_0, uint8 "
        "[N, H, W, 3], or a folder of numbered PNG files; if not given, one picture with a grid. Score: a .csv or a "
        ".npy file, with a picture beside it. Interpolate, inpaint: a folder. If not given, the results of score, "
        "interpolate and inpaint go to the run's folder",
        changes_in=("sample", "score", "interpolate", "inpaint"),
        is_path=True,
    )
    labels: str | None = _setting(
        None,
        "classes that --mode=sample draws from a --conditional run, by their numbers or names, separated by commas: a "
        "row of the grid for each, or in turn with --output. If not given, they are drawn from p(y), the shares of the "
        "classes among the training images",
        changes_in=("sample",),
        is_list=True,
    )
    num_frames: int = _setting(
        9,
        "pictures of an interpolation or an inpainting, from the first to the last",
        at_least=2,
        changes_in=("interpolate", "inpaint"),
    )
    inpaint_method: str = _setting(
        "map",
        "map: the hidden pixels whose z is most probable under the prior; hmc: a draw of the hidden pixels given the "
        "others, by Hamiltonian Monte Carlo",
        choices=INPAINTING_METHODS,
        changes_in=("inpaint",),
    )
    inpaint_steps: int = _setting(
        400, "steps of Adam (map), or transitions of the chain (hmc)", at_least=1, changes_in=("inpaint",)
    )
    inpaint_leapfrog: int = _setting(10, "leapfrog steps of each transition (hmc)", at_least=1, changes_in=("inpaint",))

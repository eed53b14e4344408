"""Which images."""

import dataclasses

from flow_gan.config.datasets import NAMED_DATASETS, VALIDATION_SPLITS
from flow_gan.config.setting import EXISTING_RUN, Section, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings(Section):
    """Which images."""

    TITLE = "Data"

    dataset: str = setting(
        "digits",
        f"{', '.join(NAMED_DATASETS)}, any other name of tensorflow_datasets (NAME or NAME/CONFIG, either with "
        ":VERSION) whose examples have an image, or the path of a folder of images, a .npy or a .npz file; "
        "names may be in capitals, and cifar is cifar10",
        changes_in=("compare", "reproduce"),
        is_path=True,
    )
    data_dir: str | None = setting(
        None,
        "tensorflow_datasets folder of the public data sets; its usual folder if not given",
        changes_in=(*EXISTING_RUN, "compare", "reproduce"),
        identifies=False,
        is_path=True,
    )
    validation_split: str = setting(
        "released",
        "which training images of the named public data sets become the validation images. released: for cifar10 those "
        "of the release, the first 500 of each class (svhn_cropped likewise), for mnist and fashion_mnist the last "
        "10,000; random: as many, drawn at random, the same ones in every run",
        choices=VALIDATION_SPLITS,
    )
    horizontal_flip: bool | None = setting(
        None,
        "flip training images left to right at random (--nohorizontal_flip: never); if not given, only those of "
        "cifar10 are flipped, as released",
    )
    levels: int | None = setting(
        None, "grey levels of a folder's or a file's images; 256 if not given", at_least=2, at_most=256
    )
    input_height: int | None = setting(
        None,
        "image height in pixels: public data sets and folders of images are resized to it, other data must have it "
        "already; if not given, that of the data",
        at_least=1,
    )
    input_width: int | None = setting(
        None, "image width in pixels, likewise; if not given, the same as --input_height", at_least=1
    )
    c_dim: int | None = setting(
        None, "channels per image, checked against the data; if not given, those of the data", at_least=1
    )

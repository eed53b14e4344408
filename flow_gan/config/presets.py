"""Presets: files of flags that the package brings with it, by name."""

import pathlib

from flow_gan.errors import check_choice

_FOLDER = pathlib.Path(__file__).parents[1] / "presets"
PRESETS = tuple(sorted(path.stem for path in _FOLDER.glob("*.flags")))


def preset_file(name: str) -> pathlib.Path:
    """Return the file of the preset `name`.

    Raises:
      UserError: there is none.
    """
    check_choice("--preset", name, PRESETS)
    return _FOLDER / f"{name}.flags"

"""What is written while a model is trained, and where."""

import dataclasses
import functools

from flow_gan.config.setting import EXISTING_RUN, Section, setting

_setting = functools.partial(setting, changes_in=EXISTING_RUN)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordingSettings(Section):
    """What is written while a model is trained, and where."""

    TITLE = "Recording"

    eval_every: int = _setting(100, "steps between validations, each with a checkpoint and a sample grid", more_than=0)
    log_every: int = _setting(
        50,
        "steps between writes to TensorBoard; metrics.jsonl is written at least as often. ADV computes the NLL of a "
        "training batch only at these steps",
        more_than=0,
    )
    checkpoint_dir: str | None = _setting(
        None, "folder of the checkpoints; <run_dir>/checkpoints if not given", identifies=False, is_path=True
    )
    log_dir: str | None = _setting(
        None, "folder of TensorBoard's events; <run_dir>/tensorboard if not given", identifies=False, is_path=True
    )
    sample_dir: str | None = _setting(
        None, "folder of sample grids; <run_dir>/samples if not given", identifies=False, is_path=True
    )

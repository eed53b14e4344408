"""Every setting of a run, described once: its default, bounds, help and where it may change.

Names are those of the flags. Settings that the original release has keep its names. Nothing in here imports TensorFlow.
"""

from flow_gan.config.config import SECTIONS, Config, changeable, from_json, identity, refuse_unused
from flow_gan.config.flags import define_flags, help_text, parse, preset
from flow_gan.config.presets import PRESETS
from flow_gan.config.setting import about

__all__ = [
    "PRESETS",
    "SECTIONS",
    "Config",
    "about",
    "changeable",
    "define_flags",
    "from_json",
    "help_text",
    "identity",
    "parse",
    "preset",
    "refuse_unused",
]

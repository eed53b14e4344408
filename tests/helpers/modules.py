"""The modules of the package."""

import importlib.util
import pkgutil

import flow_gan

# Those that need what is no dependency: they can be imported where it is installed.
_OPTIONAL = {"flow_gan.benchmark.torch_loop": "torch"}

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(flow_gan.__path__, "flow_gan.")
    if module.name not in _OPTIONAL or importlib.util.find_spec(_OPTIONAL[module.name])
)

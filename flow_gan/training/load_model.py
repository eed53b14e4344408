"""The model of a run, with its weights."""

from flow_gan.config import Config
from flow_gan.model import FlowGAN
from flow_gan.training.build_model import build_model
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.run_folder import RunFolder
from flow_gan.training.strategy import select_gpu


def load_model(config: Config, levels: int = 256) -> tuple[FlowGAN, RunFolder]:
    """Return (model, folder) of the run `config.run_dir`, with the weights of `config.checkpoint`."""
    select_gpu(config.gpu_nr)
    model = build_model(config, levels)
    folder = RunFolder(config.require_run_dir(), config)
    Checkpoints(model, folder.checkpoints).restore_for_use(config.checkpoint)
    return model, folder

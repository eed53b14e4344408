"""The state from which a training starts: that of a new run, or that of an existing one (`--resume`).

A run may end at any moment, and leaves

    config.json      its settings, which `run_config` completes those given with
    data.json        the digest of its data, which have to be the same
    checkpoints/     the state after some of its steps: the newest that is whole is loaded, and tells the step to go on
                     from; those of later steps are deleted
    metrics.jsonl    the records of those steps, and maybe of later ones, which are cut off
    tensorboard/     likewise
    samples/         grids, which the steps to come write anew

Where a signal broke a validation off, the checkpoint says that its step is unfinished. The validation is then done
first, and the step's record and events are written anew with it. A run that was killed before its first checkpoint
begins anew in its own folder, with its initial weights.
"""

import dataclasses

from flow_gan import data
from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.model import FlowGAN
from flow_gan.training import run_folder
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.initial_weights import InitialWeights
from flow_gan.training.metrics_file import MetricsFile
from flow_gan.training.run_folder import RunFolder
from flow_gan.training.tensorboard_log import TensorBoardLog


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that is about to be trained.

    Attributes:
      config: with all sizes.
      dataset: `data.Dataset`.
      model: with the state to go on from.
      folder: locked, so that no other process trains in it.
      checkpoints: `Checkpoints`.
      step: int, the step that the state is of.
      is_step_unfinished: bool, whether what is due after that step is still to be done.
    """

    config: Config
    dataset: data.Dataset
    model: FlowGAN
    folder: RunFolder
    checkpoints: Checkpoints
    step: int
    is_step_unfinished: bool

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of a conditional run's classes, None where there are none."""
        return self.dataset.class_names if self.config.conditional else None

    def begin(self, initial_weights: InitialWeights | None = None) -> None:
        """Write what the run begins with, and delete the checkpoints of later steps.

        Args:
          initial_weights: what was taken from another run.
        """
        if self.config.resume:
            self.folder.write_config(self.config)
        self.folder.write_data(self.config.dataset, self.dataset.digest, self.class_names)
        if initial_weights is not None:
            self.folder.write_initial_weights(dataclasses.asdict(initial_weights))
        if self.config.resume:
            self.checkpoints.drop_after(self.step)
        if self.checkpoints.latest_path is None:
            # To go on from whenever the run is killed.
            self.checkpoints.save()

    def open_metrics_file(self) -> MetricsFile:
        """Return metrics.jsonl, cut off after the step."""
        return MetricsFile(self.folder.metrics_file, self.step)

    def open_tensorboard(self) -> TensorBoardLog:
        """Return TensorBoard's events, cut off after the step, or before it where it is unfinished."""
        kept = self.step - 1 if self.is_step_unfinished else self.step
        return TensorBoardLog(self.folder.tensorboard, self.dataset.bits_per_dim, kept)


def has_begun(config: Config) -> bool:
    """Whether a run goes on from a checkpoint; one that was killed early may have none yet."""
    return config.resume and RunFolder(config.require_run_dir(), config).metrics_file.exists()


def require_same_data(config: Config, dataset: data.Dataset) -> None:
    """Raise `UserError` if the run to go on with is known to have other data."""
    folder = RunFolder(config.require_run_dir(), config)
    if folder.has_other_data(dataset.digest):
        digest, own = (str(digest)[:12] for digest in (dataset.digest, folder.data_digest()))
        raise UserError(
            f"--dataset={config.dataset} is not what the run {config.run_dir} was trained on: its digest, of names, "
            f"sizes and contents, is {digest}, not {own}; expected the same data, or a new run"
        )


def open_run(config: Config, dataset: data.Dataset, model: FlowGAN, last_step: int) -> OpenRun:
    """Make the folder of a new run, or load the latest state of an existing one. Of that nothing is changed yet.

    Args:
      config: with all sizes.
      dataset: `data.Dataset`.
      model: compiled, with initial weights.
      last_step: int, at which the training is to end.

    Raises:
      UserError: the folder is in use or cannot be written, no checkpoint can be loaded, or its step is after the last.
    """
    if config.resume:
        folder = RunFolder(config.require_run_dir(), config)
        run_folder.read_config(config.require_run_dir())
        folder.lock()
    else:
        folder = run_folder.create(config)
    try:
        checkpoints = Checkpoints(model, folder.checkpoints)
        # Without both it was killed before its first checkpoint.
        if config.resume and (folder.metrics_file.exists() or checkpoints.latest_path is not None):
            checkpoints.restore("latest")
            _require_steps_left(config, model.num_steps, last_step)
    except BaseException:
        folder.unlock()
        raise
    return OpenRun(
        config=config,
        dataset=dataset,
        model=model,
        folder=folder,
        checkpoints=checkpoints,
        step=model.num_steps,
        is_step_unfinished=bool(checkpoints.is_step_unfinished),
    )


def join_run(config: Config, model: FlowGAN, step: int) -> bool:
    """Load the state that the chief goes on from, in another process of the run; return whether its step is unfinished.

    Args:
      config: the run's configuration.
      model: compiled.
      step: int, that of the chief's state.
    """
    checkpoints = Checkpoints(model, RunFolder(config.require_run_dir(), config).checkpoints)
    checkpoints.restore("latest", step)
    if model.num_steps != step:
        raise UserError(
            f"--run_dir={config.run_dir} is not that of the chief, which continues from step {step}; "
            "expected a folder that all processes see"
        )
    return bool(checkpoints.is_step_unfinished)


def _require_steps_left(config, step, last_step):
    if step > last_step:
        raise UserError(
            f"--run_dir={config.run_dir} is already at step {step}; expected a larger --max_steps or --epoch than "
            f"{last_step} steps"
        )

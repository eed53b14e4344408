"""The command line: python -m examples.findings [--flags], see --help."""

import math
import pathlib
import sys

from absl import flags

from examples.findings import critics, repair, tables, terms, warm_start
from examples.findings.lab import DATASETS, Lab
from flow_gan import command_line
from flow_gan.errors import UserError, check_choice, check_tensorflow_path, home_expanded
from flow_gan.training import Stopped

EXPERIMENTS = {"critics": critics, "repair": repair, "warm_start": warm_start, "terms": terms}
NUM_SEEDS = {"digits": 3, "mnist": 1}

HELP = """\
Make and tabulate four experiments that the Flow-GAN paper did not make.

  python -m examples.findings --experiment=critics      ADV by critic: score, FID and likelihood
  python -m examples.findings --experiment=repair       ADV's likelihood, repaired from its latest weights
  python -m examples.findings --experiment=warm_start   MLE and then a hybrid, against a hybrid from scratch
  python -m examples.findings --experiment=terms        where the nats are by which ADV's NLL is above MLE's
  python -m examples.findings                           all of them

  --experiment=all      critics | repair | warm_start | terms | all
  --dataset=digits      digits | mnist
  --data_dir            tensorflow_datasets folder of MNIST; its usual folder if not given
  --runs_dir=runs/findings
                        where the runs go, each a folder like any other run's
  --out=runs/findings/tables
                        where <dataset>_<experiment>.json, .md and .png go
  --num_seeds           seeds of every training, from 0 on; if not given 3 for digits, 1 for mnist
  --scale_steps=1       factor of all numbers of training steps; a small one shows that everything works

The experiments share their runs. A run that is finished is not made again, and one that was stopped goes on where it
was: after a stop, give the same command again."""


def main(argv=None):
    """Run the command line `argv` (without the program's name); return the exit status."""
    return command_line.run(
        lambda: _main(sys.argv[1:] if argv is None else argv), "interrupted; the same command goes on from there"
    )


def _main(argv):
    given = _parse(argv)
    if given["help"]:
        print(HELP)
        return
    lab, out = _lab(given), pathlib.Path(home_expanded("--out", given["out"]))
    chosen = list(EXPERIMENTS) if given["experiment"] == "all" else [given["experiment"]]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={out} cannot be made: {error}; expected a folder, or the path of a new one") from error
    for name in chosen:
        experiment = EXPERIMENTS[name]
        try:
            for trial in experiment.trials(lab):
                print(f"{name}: ", end="")
                lab.make(trial)
        except Stopped as stopped:
            print(f"{stopped.signal.name}: the same command goes on from there", file=sys.stderr)
            raise
        found, draw = experiment.report(lab)
        stem = out / f"{lab.dataset}_{name}"
        about = {"experiment": name, "dataset": lab.dataset, "seeds": list(lab.seeds), "scale_steps": lab.scale_steps}
        draw(stem.with_name(f"{stem.name}.png"))
        tables.write(stem, found, about)
        print(f"{name}: {stem}.md")


def _parse(argv):
    """Return {flag: value}."""
    values = flags.FlagValues()
    for name, default in (
        *(("experiment", "all"), ("dataset", "digits"), ("data_dir", None)),
        *(("runs_dir", "runs/findings"), ("out", "runs/findings/tables")),
    ):
        flags.DEFINE_string(name, default, "", flag_values=values)
    flags.DEFINE_integer("num_seeds", None, "", flag_values=values)
    flags.DEFINE_float("scale_steps", 1.0, "", flag_values=values)
    flags.DEFINE_boolean("help", False, "", short_name="h", flag_values=values)
    try:
        rest = values(["findings", *argv])[1:]
    except flags.Error as error:
        raise UserError(" ".join(str(error).split())) from error
    if rest:
        raise UserError(f"argument {rest[0]!r} is not a flag; flags start with --, see --help")
    return values.flag_values_dict()


def _lab(given):
    """Return the `Lab` that the flags ask for."""
    check_choice("--experiment", given["experiment"], (*EXPERIMENTS, "all"))
    check_choice("--dataset", given["dataset"], DATASETS)
    num_seeds = NUM_SEEDS[given["dataset"]] if given["num_seeds"] is None else given["num_seeds"]
    if num_seeds < 1:
        raise UserError(f"--num_seeds={num_seeds}; expected 1 or more")
    if not 0 < given["scale_steps"] < math.inf:
        raise UserError(f"--scale_steps={given['scale_steps']}; expected more than 0")
    runs_dir = home_expanded("--runs_dir", given["runs_dir"])
    check_tensorflow_path("--runs_dir", runs_dir)
    return Lab(given["dataset"], given["data_dir"], pathlib.Path(runs_dir), num_seeds, given["scale_steps"])


if __name__ == "__main__":
    sys.exit(main())

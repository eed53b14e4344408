"""What each `--mode` does: one file each, with `run(given)`, where `given` is {setting: value} of the command line."""

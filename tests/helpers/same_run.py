"""Whether two runs have left the same."""

import json

import numpy as np
import tensorflow as tf


def lines_of(folder):
    """Return the records of a run's metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events_of(folder):
    """Return {tag: [(step, event value)]} of a folder of TensorBoard events."""
    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    return found


def assert_same_run(a, b):
    """Assert that two run folders hold the same records, curves and checkpoints, bit for bit."""
    assert lines_of(b) == lines_of(a)
    steps = [line["step"] for line in lines_of(a)]
    assert steps == list(range(1, len(steps) + 1))
    for name in ("train", "validation"):
        one, other = (events_of(folder / "tensorboard" / name) for folder in (a, b))
        assert other.keys() == one.keys()
        for tag, values in one.items():
            assert [step for step, _ in other[tag]] == [step for step, _ in values], tag
            for (_, x), (_, y) in zip(values, other[tag], strict=True):
                np.testing.assert_array_equal(y, x, err_msg=tag)
    for which in ("latest", "best"):
        one, other = (newest_checkpoint(folder / "checkpoints" / which) for folder in (a, b))
        assert other.keys() == one.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)


def newest_checkpoint(folder):
    """Return {name: array} of the newest checkpoint in a folder, but for TensorFlow's count of the writes."""
    newest = max(int(path.stem.removeprefix("ckpt-")) for path in folder.glob("ckpt-*.index"))
    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{newest}"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("save_counter")]
    return {"step": newest} | {name: reader.get_tensor(name) for name in names if "OBJECT_GRAPH" not in name}

"""What comparisons say of runs with labels, beside those without."""

import numpy as np

from flow_gan.metrics import labels, nll

NATS = {"without": [1.0, 2.0, 4.0], "given": [0.0, 1.5, 2.0], "marginal": [0.5, 1.5, 3.5]}


def result(name, **others):
    values = np.array(NATS[name])
    stored = {"nats": values.mean(), "nats_standard_error": values.std() / np.sqrt(2), "nats_per_image": NATS[name]}
    return stored | {"num_images": 3, "num_available": 3, "warnings": []} | others


def test_an_nll_given_the_label_says_so():
    found = nll.remarks({"a": result("without"), "b": result("given", is_given_label=True)})
    assert found[0] == "b: its NLL is -log p(x | y), given the label"
    assert found[1].startswith("NLL in nats, a - b, given the label: 1.17 ±") and len(found) == 2
    assert not [text for text in nll.remarks({"a": result("without"), "b": result("marginal")}) if "given" in text]


def test_log_p_of_x_is_compared_with_the_nll_of_runs_without_labels():
    """And with no NLL given the label."""
    stored = {
        "nll": {"a": result("without"), "b": result("given", is_given_label=True)},
        "labels": {"b": result("marginal")},
    }
    (found,) = labels.remarks_beside(stored)
    assert found.startswith("-log p(x) in nats, a - b: 0.5 ±") and found.endswith("(paired over 3 images)")
    assert labels.remarks_beside(stored | {"nll": {}}) == []


def test_images_and_warnings():
    found = {"b": result("marginal", num_available=9, warnings=["wrong"])}
    assert labels.remarks(found) == ["(!) b, classes: wrong", "b: 3 of 9 images in the classes"]
    assert nll.remarks(found)[:2] == ["(!) b: wrong", "b: 3 of 9 images in the NLL"]

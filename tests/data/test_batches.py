import numpy as np

from flow_gan import data

IMAGES = np.arange(23, dtype=np.uint8).reshape(23, 1, 1, 1)


def steps(first, last, seed=0, **arguments):
    batches = data.training_batches(IMAGES, 5, seed, first, last, **arguments)
    return [batch[..., 0, 0, 0].tolist() for batch in batches.as_numpy_iterator()]


def test_an_epoch_visits_each_image_at_most_once():
    epoch = np.ravel(steps(0, 4))
    assert len(epoch) == 20 and len(set(epoch)) == 20
    assert epoch.tolist() != sorted(epoch)


def test_a_step_s_batch_depends_on_seed_and_step_only():
    whole = steps(0, 13)
    assert whole[3:] == steps(3, 13) and whole[9:11] == steps(9, 11)
    assert whole[:4] != whole[4:8]
    assert whole != steps(0, 13, seed=1)


def test_order_is_that_of_the_epoch():
    order = data.batches.epoch_order(23, 7, 1)
    assert np.ravel(steps(4, 8, seed=7)).tolist() == order[:20].tolist()


def test_several_batches_per_step():
    batches = steps(0, 2, batches_per_step=2)
    assert np.shape(batches) == (2, 5, 2) and len(set(np.ravel(batches))) == 20


def test_replicas_share_a_batch_out():
    """Two processes of two replicas each: what they prepare is the whole batch, in order, without overlap."""
    images = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)

    def both(make):
        parts = [list(make(replicas, 4).as_numpy_iterator()) for replicas in (range(2), range(2, 4))]
        # Each step has an element for each replica of a process.
        return [parts[0][2 * i : 2 * i + 2] + parts[1][2 * i : 2 * i + 2] for i in range(len(parts[0]) // 2)]

    whole = list(data.training_batches(images, 12, 0, 1, 5).as_numpy_iterator())
    parts = both(lambda *part: data.training_batches(images, 12, 0, 1, 5, None, *part))
    np.testing.assert_array_equal([np.concatenate(step) for step in parts], whole)
    assert parts[0][0].shape == (3, 1, 1, 1)
    fresh = list(data.training_batches(images, 4, 0, 1, 5, 2).as_numpy_iterator())
    parts = both(lambda *part: data.training_batches(images, 4, 0, 1, 5, 2, *part))
    np.testing.assert_array_equal([np.concatenate(step) for step in parts], fresh)
    indices = list(data.training_indices(40, 12, 0, 1, 5).as_numpy_iterator())
    parts = both(lambda *part: data.training_indices(40, 12, 0, 1, 5, None, *part))
    np.testing.assert_array_equal([np.concatenate(step) for step in parts], indices)
    whole = list(data.evaluation_batches(images, "test", 12).as_numpy_iterator())
    parts = both(lambda *part: data.evaluation_batches(images, "test", 12, None, *part))
    for one, several in zip(whole, parts, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in several]), value)


def test_evaluation_covers_every_image_once():
    batches = list(data.evaluation_batches(IMAGES, "test", 5).as_numpy_iterator())
    assert len(batches) == 5
    for batch in batches:
        assert batch["images"].shape == (5, 1, 1, 1) and set(batch["split"]) == {2}
    weight = np.concatenate([b["weight"] for b in batches])
    index = np.concatenate([b["index"] for b in batches])
    images = np.concatenate([b["images"] for b in batches]).ravel()
    assert weight.tolist() == [1] * 23 + [0] * 2 and index.tolist() == list(range(25))
    assert images[:23].tolist() == list(range(23))
    # Copies of one image would bend the statistics of a batch norm that takes them from the batch at hand.
    assert images[23:].tolist() == [0, 1]

"""Statistics of features, and the files in which pytorch-fid and torch-fidelity keep them."""

import re

import numpy as np
import pytest

import flow_gan
from flow_gan.evaluation import classifier, fid_statistics, scores
from flow_gan.evaluation.inception import PUBLISHED


def features(seed, count=40, size=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + rng.normal(size=size)


def judge(**settings):
    """A classifier of 2 features."""
    return classifier.Classifier(
        "judge", lambda images: (images[:, 0, :, 0], images[:, 0, :, 0]), (1, 2, 1), 256, "", **settings
    )


def test_a_file_as_pytorch_fid_writes_it_gives_the_fid_of_its_features(tmp_path):
    first, second = features(0), features(1)
    path = tmp_path / "stats.npz"
    np.savez_compressed(path, mu=np.mean(second, axis=0), sigma=np.cov(second, rowvar=False))
    read = fid_statistics.read_fid_statistics(path)
    assert read.network is None and read.num_images is None
    distance = fid_statistics.fid_statistics(first).distance(read)
    np.testing.assert_allclose(distance, scores.fid(first, second), rtol=1e-10)
    # In one dimension (m1 - m2)^2 + (s1 - s2)^2: means 0 and 3, deviations 1 and 3.
    np.savez(path, mu=np.float32([3]), sigma=np.float32([[9]]))
    one = fid_statistics.FIDStatistics(np.zeros(1), np.ones((1, 1)))
    np.testing.assert_allclose(one.distance(fid_statistics.read_fid_statistics(path)), 9 + 4)


def test_what_is_written_is_read_by_keys_of_others(tmp_path):
    path = tmp_path / "new" / "stats.npz"
    written = fid_statistics.fid_statistics(features(0), "network")
    fid_statistics.write_fid_statistics(path, written)
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["mu"], features(0).mean(0))
        np.testing.assert_array_equal(arrays["sigma"], np.cov(features(0), rowvar=False))
    read = fid_statistics.read_fid_statistics(path)
    assert (read.network, read.num_images) == ("network", 40)
    np.testing.assert_allclose(read.distance(written), 0, atol=1e-12)
    assert [file.name for file in path.parent.iterdir()] == ["stats.npz"]
    (tmp_path / "file").write_text("")
    with pytest.raises(flow_gan.UserError, match="cannot be written"):
        fid_statistics.write_fid_statistics(tmp_path / "file" / "stats.npz", written)


GOOD = {"mu": np.zeros(2), "sigma": np.eye(2)}


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "there is no such file; expected a .npz file of mu"),
        (b"", "cannot be read"),
        (b"PK\x03\x04cut off", "cannot be read"),
        (np.zeros(3), "cannot be read"),
        ({"mu": np.zeros(2)}, "cannot be read .*sigma"),
        ({"arr_0": np.zeros((2, 2))}, "cannot be read .*mu"),
        (GOOD | {"sigma": np.eye(3)}, r"holds mu \[2\] and sigma \[3, 3\]"),
        (GOOD | {"mu": np.zeros((2, 1))}, r"holds mu \[2, 1\] and sigma \[2, 2\]"),
        (GOOD | {"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, r"holds mu \[0\]"),
        (GOOD | {"mu": np.array([0, np.nan])}, "not finite"),
        (GOOD | {"mu": np.array(["a", "b"])}, "cannot be read"),
        (GOOD | {"mu": np.array([None, {}], object)}, "cannot be read"),
        (GOOD | {"sigma": np.array([[1.0, 0.5], [0, 1]])}, "no covariance"),
        (GOOD | {"sigma": np.diag([1.0, -1])}, "no covariance"),
    ],
)
def test_bad_files(content, message, tmp_path):
    path = tmp_path / "stats.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        with open(path, "wb") as file:
            np.save(file, content)
    with pytest.raises(flow_gan.UserError, match=f"^--fid_statistics={re.escape(str(path))}.*{message}") as error:
        fid_statistics.read_fid_statistics(path)
    assert "\n" not in str(error.value)


def test_statistics_of_other_features_are_refused():
    def check(size, network, of):
        statistics = fid_statistics.FIDStatistics(np.zeros(size), np.eye(size), network)
        fid_statistics.check_same_features(statistics, "f.npz", of)

    published = judge(network_name=PUBLISHED)
    check(2, None, published)
    check(2, PUBLISHED, published)
    check(2, "mine", judge(network_name="mine"))
    # A file that names no network is one of the published network, or of the user's own.
    check(2, None, judge(network_name="mine", is_own=True))
    with pytest.raises(flow_gan.UserError, match=r"f\.npz is of 3 features; expected 2, those of mine"):
        check(3, None, judge(network_name="mine", is_own=True))
    with pytest.raises(flow_gan.UserError, match="is of the network other, and --classifier gives features of mine;"):
        check(2, "other", judge(network_name="mine", is_own=True))
    with pytest.raises(flow_gan.UserError, match=f"{PUBLISHED} .it names no network, .* features of keras"):
        check(2, None, judge(network_name="keras inception_v3"))


def test_scores_against_statistics_of_others():
    of = judge()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 1, 2, 1)).astype(np.uint8)
    train = flow_gan.data.Split(images[::-1], np.arange(20) % 2)
    reference = scores.make_reference(of, train)
    target = fid_statistics.FIDStatistics(np.array([5.0, 5.0]), np.eye(2), num_images=7)
    result = scores.score_samples(of, images / 255, reference, 2, target, "others.npz")
    _, found = of.predict(images / 255)
    np.testing.assert_allclose(result.fid, fid_statistics.fid_statistics(found).distance(target), rtol=1e-10)
    assert result.num_reference == 7 and result.fid_reference == "others.npz, of 7 images"
    assert "(20 samples against others.npz, of 7 images)" in str(result)
    # All other scores are as they are without.
    without = scores.score_samples(of, images / 255, reference, 2)
    assert without.fid_reference == "20 training images" and without.mode_score == result.mode_score
    assert "statistics" not in result.to_dict()
    np.testing.assert_allclose(result.statistics.mean, found.mean(0))
    assert (result.statistics.network, result.statistics.num_images) == ("judge", 20)

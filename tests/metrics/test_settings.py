"""On which settings a stored result depends: one that is forgotten makes a stale number pass for a new one."""

from flow_gan.measurement import registry

CLASSIFYING = {"classifier", "inception_weights", "score_samples", "seed"}
SCORING = CLASSIFYING | {"score_splits"}
MIXTURE = {"num_examples", "kde_samples", "seed"}
SETTINGS = {
    "nll": {"num_examples", "noise_draws"},
    "nll_reestimated": {"num_examples", "noise_draws", "batch_size"},
    "nll_terms": {"num_examples"},
    "scores": SCORING | {"fid_statistics"},
    "kid": CLASSIFYING | {"kid_subsets", "kid_subset_size"},
    "prdc": CLASSIFYING | {"prdc_neighbours"},
    "gmm": {"num_examples"} | SCORING,
    "kde": MIXTURE,
    "ais": MIXTURE | {"ais_images", "ais_chains", "ais_temperatures", "ais_leapfrog"},
    "jacobian": {"jacobian_draws", "seed"},
    "pictures": {"seed"},
    "ood": {"ood_dataset", "num_examples"},
    "memorisation": CLASSIFYING,
    "labels": {"num_examples"},
}


def test_results_depend_on_what_their_numbers_follow_from():
    assert {name: set(metric.settings) for name, metric in registry.all_metrics().items()} == SETTINGS

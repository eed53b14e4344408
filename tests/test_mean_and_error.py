"""The mean of the NLL and its standard error."""

import numpy as np

from flow_gan.mean_and_error import MeanAndStandardError


def test_metric_ignores_padding():
    metric = MeanAndStandardError("nll")
    metric.update_state(np.array([1.0, 3.0, np.nan, np.inf]), np.array([1, 1, 0, 0]))
    result = metric.result()
    np.testing.assert_allclose(result["nll"], 2)
    np.testing.assert_allclose(result["nll_standard_error"], 1)

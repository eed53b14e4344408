"""Reproducing the paper: what is planned, what is redone, what the report says."""

import dataclasses
import json
import signal

import pytest

from flow_gan import config as config_module
from flow_gan import training
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.main import main
from flow_gan.modes import reproduce as reproduce_function
from flow_gan.modes.reproduction.journal import Journal
from flow_gan.modes.reproduction.plan import make_plan
from flow_gan.modes.reproduction.settings import SCALES, Scale
from flow_gan.report import page
from tests.modes.test_modes import judge
from tests.report.test_page import check_html
from tests.test_main import assert_refused
from tests.test_project import ROOT

ABSURD = Scale(
    dict.fromkeys(("mle", "adv", "hybrid", "dcgan_wgan", "dcgan_ce", "sweep"), 3),
    1,
    1,
    {
        **{"score_samples": 30, "score_splits": 3, "kde_samples": 20, "jacobian_draws": 2},
        **{"ais_images": 2, "ais_chains": 2, "ais_temperatures": 3, "ais_leapfrog": 1},
    },
    {"gmm": {"num_examples": 20}},
    flow={"hidden_layers": 8, "no_of_layers": 0, "df_dim": 2, "n_critic": 1},
    implicit={"filters": 2, "df_dim": 2, "critic": "mnist"},
)

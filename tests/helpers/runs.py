"""Settings of training runs so small that a process spends its time on starting up; the data are the digits."""

from flow_gan import config, training
from flow_gan.measurement import registry

SMALL = {"hidden_layers": 8, "no_of_layers": 0, "df_dim": 2, "n_critic": 1, "eval_every": 4, "log_every": 3}
REAL_NVP = {"model_type": "real_nvp", "filters": 3, "no_of_layers": 1, "prior": "gaussian", "batch_size": 20}
REAL_NVP |= {"hidden_layers": config.Config.hidden_layers}  # NICE alone has them.
GLOW = REAL_NVP | {"model_type": "glow", "depth_per_scale": 2, "learned_prior": True}
DCGAN = {"model_type": "dcgan", "filters": 2, "like_reg": 0.0, "batch_size": 20}
DCGAN |= {name: getattr(config.Config, name) for name in ("hidden_layers", "no_of_layers")}


def settings(folder, **changes):
    return config.Config(**(SMALL | {"run_dir": str(folder), "max_steps": 10} | changes))


def model_of(config_):
    dataset = training.load_data(config_)
    return training.build_model(training.resolve(config_, dataset.image_shape), dataset.levels)


def with_tags(score):
    """Return a function that scores, with the tags that those of the package have."""
    score.tags = registry.find("scores").tags
    return score

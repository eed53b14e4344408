"""Measures of a trained model."""

from flow_gan.evaluation.ais import AIS, AISSettings, choose_sigma, evaluate_ais
from flow_gan.evaluation.auroc import AUROC, evaluate_auroc
from flow_gan.evaluation.bandwidth import BandwidthSearch, search_bandwidth, winning_bandwidths
from flow_gan.evaluation.class_likelihoods import ClassLikelihoods, evaluate_class_likelihoods
from flow_gan.evaluation.classifier import Classifier, check_classifier, load_classifier
from flow_gan.evaluation.fid_statistics import (
    FIDStatistics,
    check_same_features,
    read_fid_statistics,
    write_fid_statistics,
)
from flow_gan.evaluation.file_digest import file_digest
from flow_gan.evaluation.image_scores import ImageScores, critic_logits, score_images, typicality
from flow_gan.evaluation.inpainting import Inpainting, inpaint
from flow_gan.evaluation.input_complexity import input_complexity, png_bits
from flow_gan.evaluation.interpolation import PATHS, interpolate, latent_path
from flow_gan.evaluation.jacobian import JacobianSpectrum, jacobian_spectrum
from flow_gan.evaluation.kid import KID, evaluate_kid
from flow_gan.evaluation.memorisation import Closeness, closeness
from flow_gan.evaluation.mixture import IsotropicMixture
from flow_gan.evaluation.nll import NLL, dequantized_images, evaluate_nll
from flow_gan.evaluation.nll_terms import TERMS, NLLTerms, evaluate_nll_terms
from flow_gan.evaluation.pictures import TEMPERATURES, classes, interpolations, reconstructions, temperatures
from flow_gan.evaluation.prdc import PRDC, evaluate_prdc
from flow_gan.evaluation.sampling import Sampler
from flow_gan.evaluation.scores import SampleScores, make_reference, score_predictions, score_samples
from flow_gan.evaluation.statistics import mean_and_error, resampled
from flow_gan.evaluation.text import with_error
from flow_gan.progress import progress

__all__ = [
    "AIS",
    "AUROC",
    "KID",
    "NLL",
    "PATHS",
    "PRDC",
    "TEMPERATURES",
    "TERMS",
    "AISSettings",
    "BandwidthSearch",
    "ClassLikelihoods",
    "Classifier",
    "Closeness",
    "FIDStatistics",
    "ImageScores",
    "Inpainting",
    "IsotropicMixture",
    "JacobianSpectrum",
    "NLLTerms",
    "SampleScores",
    "Sampler",
    "check_classifier",
    "check_same_features",
    "choose_sigma",
    "classes",
    "closeness",
    "critic_logits",
    "dequantized_images",
    "evaluate_ais",
    "evaluate_auroc",
    "evaluate_class_likelihoods",
    "evaluate_kid",
    "evaluate_nll",
    "evaluate_nll_terms",
    "evaluate_prdc",
    "file_digest",
    "inpaint",
    "input_complexity",
    "interpolate",
    "interpolations",
    "jacobian_spectrum",
    "latent_path",
    "load_classifier",
    "make_reference",
    "mean_and_error",
    "png_bits",
    "progress",
    "read_fid_statistics",
    "reconstructions",
    "resampled",
    "score_images",
    "score_predictions",
    "score_samples",
    "search_bandwidth",
    "temperatures",
    "typicality",
    "winning_bandwidths",
    "with_error",
    "write_fid_statistics",
]

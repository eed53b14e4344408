"""Where the nats are by which ADV's NLL is above MLE's."""

import dataclasses

from examples.findings import pictures, repair, tables, warm_start
from flow_gan.evaluation.nll_terms import TERMS
from flow_gan.report.tables import Table
from flow_gan.report.values import Value, over_seeds

_METRIC = "nll_terms"
PLACES = {"all": "all pixel values", "black": "black in all training images", "others": "the others"}


def models(lab):
    """Return {name: function from a seed to a `Trial`, or None of one that could not be made}, MLE and ADV first."""
    last = repair.counts(lab)[-1]
    return {
        "MLE": lambda seed: warm_start.mle(lab, seed),
        "ADV": lambda seed: repair.adv(lab, seed),
        **{
            f"ADV, then {last} steps of {way}": lambda seed, make=make: make(seed, last)
            for way, make in repair.ways(lab).items()
        },
        "hybrid from MLE": lambda seed: warm_start.warm(lab, seed),
        "hybrid from scratch": lambda seed: warm_start.scratch(lab, seed),
    }


def trials(lab):
    """Yield those of the experiments repair and warm_start whose terms are compared, and what they start from."""
    for seed in lab.seeds:
        for make in models(lab).values():
            trial = make(seed)
            if trial is not None:
                yield dataclasses.replace(trial, metrics=(_METRIC,))


def report(lab):
    """Return (tables, function that draws a path)."""
    found = {name: _terms(lab, [make(seed) for seed in lab.seeds]) for name, make in models(lab).items()}
    header = ["Model", "Pixel values", *(f"{term}, nats" for term in TERMS.values())]
    rows = [
        [name, label, *(tables.cell(found[name][place, term]) for term in TERMS)]
        for name in found
        for place, label in PLACES.items()
    ]
    # An image's terms go together, and with those of other models: their errors over images are no errors of sums and
    # differences.
    several = lab.num_seeds > 1
    notes = ["The terms of a row add up to its NLL, in the mean over test images."]
    notes.append(tables.spread(lab) if several else "Latest weights, one seed.")
    terms = Table(key="terms", title=f"The terms of the NLL, {lab.dataset}", header=header, rows=rows, notes=notes)
    rows = [
        [label, *(tables.minus(found["ADV"][place, term], found["MLE"][place, term]) for term in TERMS)]
        for place, label in PLACES.items()
    ]
    title = f"ADV minus MLE, {lab.dataset}"
    differences = Table(
        key="terms-differences",
        title=title,
        header=header[1:],
        rows=rows,
        notes=[tables.paired(lab)] if several else [],
    )
    bars = {
        name: [_number(values["all", term], found["MLE"]["all", term]) for term in TERMS]
        for name, values in found.items()
        if name != "MLE"
    }
    return [terms, differences], lambda path: pictures.bars(
        path, list(TERMS.values()), bars, "nats above MLE's, all pixel values"
    )


def _terms(lab, trials_of_seeds):
    """Return {(place, term): `Value`}."""
    of_seeds = [_of_result(lab.result(trial, _METRIC)) for trial in trials_of_seeds]
    return {key: over_seeds([values[key] for values in of_seeds]) for key in of_seeds[0]}


def _of_result(result):
    """Return {(place, term): `Value`} of one run."""
    values = {(place, term): Value() for place in PLACES for term in TERMS}
    if result is not None:
        everything, black = result["total"]["means"], result["regions"]["black"]["means"]
        for term in TERMS:
            values["all", term], values["black", term] = Value(everything[term]), Value(black[term])
            if None not in (everything[term], black[term]):
                values["others", term] = Value(everything[term] - black[term])
    return values


def _number(high, low):
    return high.number - low.number if high.is_known and low.is_known else None

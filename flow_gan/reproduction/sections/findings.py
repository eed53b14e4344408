"""What the page says first: what MLE, ADV and the hybrid reached, a sentence of each."""

from flow_gan.metrics import scores
from flow_gan.report.values import Value, difference
from flow_gan.reproduction.plan import FLOWS
from flow_gan.reproduction.sections.context import NAMES, Context, digits, on_page


def findings(context: Context) -> list[tuple[str, str]]:
    """Return [(model, the rest of the sentence)].

    A model is better or worse than those before it where the difference is beyond its error, in pairs where both have
    values of the same images or seeds; otherwise that is undecided. Numbers with warnings are marked (!).
    """
    hybrid = context.results.plan.training("hybrid").config.like_reg
    ways = ("trained by maximum likelihood", "trained against a critic alone", f"trained by both (λ = {hybrid:g})")
    found = []
    for i, (role, way) in enumerate(zip(FLOWS, ways, strict=True)):
        compared = FLOWS[: i + 1]
        marks = {metric: " (!)" if context.results.warnings(role, metric) else "" for metric in ("scores", "nll")}
        values = {other: context.scored(other) for other in compared}
        score = _reached(context.score, marks["scores"], 2, values, sign=1)
        values = {other: context.nll(other) for other in compared}
        likelihood = _reached("test NLL", f" {context.unit}{marks['nll']}", digits(context), values, sign=-1)
        real = "" if i else _of_real_images(context)
        found.append((NAMES[role], f", {way}, has {score}{real} and {likelihood}."))
    return found


def _reached(what, after, decimals, values, sign):
    """Return what the last of `values`, {role: `Value`}, is, and how it compares with the others.

    `after` follows the number; `sign` is that of the difference of a better one.
    """
    *others, role = values
    own = values[role]
    if not own.is_known:
        return f"no finite {what}"
    said: dict[str, list[str]] = {}
    for other in others:
        if values[other].is_known:
            word, by = _compared(own, values[other], decimals, sign)
            said.setdefault(word, []).append(f"{NAMES[other]}'s {by}")
    text = "".join(f", {word} {' and '.join(parts)}" for word, parts in said.items())
    article = "an" if what[0] in "AEIOU" else "a"
    return f"{article} {what} of {own.number:.{decimals}f}{after}{text}{',' if text and sign > 0 else ''}"


def _compared(own: Value, other: Value, decimals: int, sign: int) -> tuple[str, str]:
    """Return (how `own` compares with `other`, by how much)."""
    step = difference(own, other)
    error = "" if step.error is None else f" ± {step.error:.{decimals}f}"
    by = f"by {abs(step.number):.{decimals}f}{error}"
    if step.number and step.is_above():
        return "better than" if sign > 0 else "worse than", by
    if step.number and step.is_below():
        return "worse than" if sign > 0 else "better than", by
    return "undecided against", f"(difference {step.number:.{decimals}f}{error})"


def _of_real_images(context):
    column = on_page(scores.columns(context.dataset)[0])
    results = (context.results.result(role, "scores") for role in FLOWS)
    part = next((result[column.real_images] for result in results if result and column.real_images in result), None)
    return "" if part is None else f" (real test images: {part[column.number]:.{column.digits}f})"

"""The plan of a run as text, for people."""

from collections.abc import Iterator

from pipeline.machine.resources import in_words
from pipeline.masks import describe_rule
from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.run.uncertainty import InputUncertainty


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of text that describe a plan."""
    lines, pixels = plan.extent.scene_shape
    yield f"scene     {plan.scene_name}: {lines} lines x {pixels} pixels, {plan.sensor or '?'}"
    if not plan.extent.is_whole:
        yield f"window    {plan.extent}"
    yield f"inputs    {', '.join(band.name for band in plan.inputs)}"
    for name, linear in plan.config.science.adjust.items():
        yield f"adjusted  {name} = {linear.gain:g} * {name} {linear.offset:+g}"
    for rule in plan.rules:
        yield f"mask      {rule.name} <- {describe_rule(rule)}"
    for step in plan.steps:
        yield from _step_lines(step)
    for result_rule in plan.result_rules:
        yield f"mask      {result_rule.name} <- {result_rule.description}"
    if plan.uncertainty is not None:
        yield from _uncertainty_lines(plan.uncertainty)
    work, blocks = plan.work, " x ".join(str(size) for size in plan.chunk)
    yield (
        f"work      {plan.grid.count} blocks of {blocks}, {work.threads} at a time, "
        f"{work.pixels_at_once} pixels at once in each"
    )
    origin = "" if plan.config.execution.memory_limit else ", half of the free memory"
    limit = f"limit {in_words(plan.memory_limit)}{origin}"
    yield f"memory    at most {in_words(work.peak_bytes)} ({limit})"


def _step_lines(step: RetrievalStep) -> Iterator[str]:
    retrieval = step.retrieval
    if step.is_combined:
        yield f"{'combined':<10}{step.name}: {retrieval.shape_text}"
        for variable, source in zip(retrieval.inputs, step.sources, strict=True):
            yield f"          {variable.name} <- {source.name}"
        yield f"          -> {', '.join((*step.written, step.flags_name))}"
        return
    kind = retrieval.kind.split()[-1]
    yield f"{kind:<10}{step.name}: {step.path} ({retrieval.shape_text}), {step.engine}"
    yield f"          sha256 {retrieval.sha256}"
    for variable, source in zip(retrieval.inputs, step.sources, strict=True):
        yield f"          {variable.name} <- {source.name}"
    for what, gains in (("inputs", step.input_gains), ("outputs", step.gains)):
        if gains is not None:
            yield f"          {what} times gains: {gains.mode}"
    yield f"          -> {', '.join((*step.written, step.flags_name))}"


def _uncertainty_lines(uncertainty: InputUncertainty) -> Iterator[str]:
    count = len(uncertainty.inputs)
    points = f", {2 * count} points" if uncertainty.method == "sigma_points" else ""
    yield f"uncertain {count} inputs by {uncertainty.method}{points}"
    for each in uncertainty.inputs:
        parts = each.describe()
        name = parts.pop("input")
        yield f"          {name} <- {', '.join(f'{how} {what}' for how, what in parts.items())}"

"""Binds one derived, chosen or blended product to the variables that it names."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.combined import Blended, Chosen, Combination, Derivation
from pipeline.combined.blend import ClassWeights, IndexWeights
from pipeline.combined.combination import BoundExpression, Named
from pipeline.config.together import BetweenLimits, Blend, Choice, Derived
from pipeline.errors import ConfigError
from pipeline.networks import Variable
from pipeline.run.known import Known, Output
from pipeline.run.step import InputSource, RetrievalStep
from pipeline.scene.quality import INPUT_MISSING, OUTPUT_OUT_OF_RANGE, QUALITY_FLAGS, FlagTable
from pipeline.scene.scene import band_names, find_layer, plain_variables
from pipeline.tables.evaluation import PIXELS
from pipeline.tables.expressions import Expression, near

Settings = Derived | Choice | Blend

# Ending of the name of the variable that says which candidate a chosen product took.
SOURCE = "_from"

_FLAG_OF = re.compile(r"\b([A-Za-z_]\w*)\.([A-Za-z_]\w*)")


class Binding:
    """Binds one combined product, and collects the inputs of the product."""

    def __init__(self, name: str, settings: Settings, known: Known) -> None:
        self._name = name
        self._settings = settings
        self._known = known
        self._outputs = known.outputs()
        self._sources: list[InputSource] = []
        self._variables: list[Variable] = []
        self._makers: list[RetrievalStep | None] = []

    def step(self) -> RetrievalStep:
        """Return the step of the product."""
        retrieval = self._retrieval()
        makers = dict.fromkeys(maker for maker in self._makers if maker is not None)
        upstream = dict.fromkeys(n for maker in makers for n in (maker.flags_name, *maker.upstream))
        names: tuple[str, ...] = (self._name,)
        if isinstance(retrieval, Chosen):
            names = (self._name, f"{self._name}{SOURCE}")
        steps = self._known.steps
        return RetrievalStep(
            name=self._name,
            path=Path(),
            retrieval=retrieval,
            engine="numpy",
            sources=tuple(self._sources),
            first_output=steps[-1].end,
            upstream=tuple(upstream),
            named=names,
            variables=names,
            flags=_joined(makers, may_fail=retrieval.may_fail),
            keeps_flags=True,
        )

    def _retrieval(self) -> Combination:
        match self._settings:
            case Derived() as derived:
                return self._derived(derived)
            case Choice() as choice:
                return self._chosen(choice)
            case Blend() as blend:
                return self._blended(blend)

    def _derived(self, settings: Derived) -> Combination:
        formula = self._bound(settings.expression, is_condition=False)
        output = _unlimited(self._name, settings.units, settings.long_name, settings.spans_decades)
        return Derivation(formula=formula, **self._common(settings.expression, (output,)))

    def _chosen(self, settings: Choice) -> Combination:
        first = self._take_candidates(settings.candidates)
        conditions = [
            self._bound(settings.where[name], is_condition=True) if name in settings.where else None
            for name in settings.candidates
        ]
        words = [
            f"{name} where {settings.where[name]}" if name in settings.where else name
            for name in settings.candidates
        ]
        which = _unlimited(f"{self._name}{SOURCE}", "1", f"product that is in {self._name}")
        return Chosen(
            candidates=settings.candidates,
            conditions=tuple(conditions),
            **self._common(f"first of {', '.join(words)}", (first, which)),
        )

    def _blended(self, settings: Blend) -> Combination:
        names = list(settings.of)
        if isinstance(settings.by, BetweenLimits):
            names = ["below", "above"]
        candidates = tuple(settings.of[name] for name in names)
        by: IndexWeights | ClassWeights
        if isinstance(settings.by, BetweenLimits):
            first = self._take_candidates(candidates)
            low, high = settings.by.limits
            by = IndexWeights(self._bound(settings.by.index, is_condition=False), (low, high))
            text = f"{candidates[0]} where {settings.by.index} is below {low}, {candidates[1]} "
            text += f"above {high}, blended in between"
        else:
            classifier = self._classifier(settings.by, names)
            first = self._take_candidates(candidates)
            start = len(self._sources)
            for name in names:
                self._take_class(classifier, name)
            by = ClassWeights(slice(start, len(self._sources)))
            pairs = ", ".join(f"{settings.of[name]} for {name}" for name in names)
            text = f"mean of {pairs}, weighted by the classes of {settings.by}"
        return Blended(candidates=candidates, by=by, **self._common(text, (first,)))

    def _common(self, text: str, outputs: tuple[Variable, ...]) -> dict[str, Any]:
        makers = [maker for maker in self._makers if maker is not None]
        return {
            "name": self._name,
            "title": text,
            "inputs": tuple(self._variables),
            "outputs": outputs,
            "sensors": (),
            "citation": "",
            "licence": "",
            "file_name": self._name,
            "sha256": "",
            "text": text,
            "carries_uncertainty": any(maker.retrieval.states_uncertainty for maker in makers),
        }

    def _classifier(self, name: str, classes: Sequence[str]) -> RetrievalStep:
        step = self._known.classifier(name)
        if step is None:
            raise ConfigError(
                f"blend: {self._name}: by: {name} is not a network with classes. For weights from "
                "an index, write by: {index: EXPRESSION, limits: [LOW, HIGH]}."
            )
        known = step.retrieval.classes
        if set(classes) != set(known):
            raise ConfigError(
                f"blend: {self._name}: of: found the classes {', '.join(classes)}, but {name} has "
                f"{', '.join(known)}. Name a product for each class."
            )
        return step

    def _take_candidates(self, candidates: Sequence[str]) -> Variable:
        """Add the candidates to the inputs; return the description of the result."""
        found = [self._output(name) for name in candidates]
        for name, output in zip(candidates, found, strict=True):
            self._take_output(name, output)
        first = found[0].variable
        for name, output in zip(candidates, found, strict=True):
            other = output.variable
            if (other.units, other.spans_decades) != (first.units, first.spans_decades):
                raise ConfigError(
                    f"{self._name}: {candidates[0]} is in {_kind(first)}, but {name} is in "
                    f"{_kind(other)}. Combine products of the same kind."
                )
        same = {output.variable.wavelength_nm for output in found}
        return dataclasses.replace(
            first,
            transform_name="log10" if first.spans_decades else "none",
            scaling_name="none",
            scaling_parameters=None,
            minimum=-float("inf"),
            maximum=float("inf"),
            wavelength_nm=first.wavelength_nm if len(same) == 1 else None,
        )

    def _output(self, name: str) -> Output:
        if name in self._outputs:
            return self._outputs[name]
        several = [step for step in self._known.steps if step.name == name]
        if several and not several[0].retrieval.classes:
            raise ConfigError(
                f"{self._name}: {name} has several outputs. Name one of them: "
                f"{', '.join(several[0].named)}."
            )
        raise ConfigError(
            f"{self._name}: {name!r} is not an output of a network"
            f"{_hint(name, list(self._outputs))}"
        )

    def _bound(self, text: str, *, is_condition: bool) -> BoundExpression:
        """Parse an expression, and add the variables that it names to the inputs."""
        expression = parsed(self._name, text)
        names = {name: self._named(name, text) for name in expression.names}
        bound = BoundExpression(expression, names)
        #         # An evaluation without pixels finds errors that would otherwise occur in the
        # first block.
        empty = np.empty((0, len(self._sources)))
        try:
            _ = bound.condition(empty) if is_condition else bound.number(empty)
        except ConfigError as error:
            raise ConfigError(f"{self._name}: {error}.") from None
        return bound

    def _named(self, name: str, text: str) -> Named:
        flags = self._known.flags()
        if len(flags.get(name, ())) + (name in self._outputs) > 1:
            raise ConfigError(
                f"{self._name}: {text!r}: {name!r} has several meanings. Give one of the "
                "networks or variables another name."
            )
        if name in self._outputs:
            return Named(self._take_output(name, self._outputs[name]))
        if name in flags:
            step, mask = flags[name][0]
            return Named(self._take_flags(step), mask)
        layer = find_layer(self._known.scene, name, self._known.science.bands.tolerance_nm)
        if layer is None:
            scene = self._known.scene
            known = [*self._outputs, *flags, *band_names(scene), *plain_variables(scene)]
            raise ConfigError(f"{self._name}: {text!r}: unknown name {name!r}{_hint(name, known)}")
        units = str(self._known.scene[layer.quantity].attrs.get("units", "1"))
        column = self._known.inputs.index(layer)
        return Named(self._take(InputSource(column, layer.name), name, units, None))

    def _take_output(self, name: str, output: Output) -> int:
        source = InputSource(output.column, f"{output.step.name}: {output.variable.name}")
        return self._take(source, name, output.variable.units, output.step)

    def _take_class(self, classifier: RetrievalStep, name: str) -> int:
        column = classifier.first_output + classifier.retrieval.classes.index(name)
        source = InputSource(column, f"{classifier.name}: probability of {name}")
        return self._take(source, f"{classifier.name}_{name}", "1", classifier)

    def _take_flags(self, step: RetrievalStep | None) -> int:
        if step is None:
            return self._take(
                InputSource(len(self._known.inputs), QUALITY_FLAGS), QUALITY_FLAGS, "1", None
            )
        if step.flags_column is None:
            raise AssertionError(f"{step.name} keeps no flags")
        source = InputSource(step.flags_column, f"{step.name}: {step.flags_name}")
        return self._take(source, step.flags_name, "1", step)

    def _take(self, source: InputSource, name: str, units: str, maker: RetrievalStep | None) -> int:
        """Add an input, unless an expression has already named it; return its position."""
        self._sources.append(source)
        self._variables.append(_unlimited(name, units))
        self._makers.append(maker)
        return len(self._sources) - 1


def _unlimited(name: str, units: str, long_name: str = "", spans_decades: bool = False) -> Variable:
    """Return a variable without a training range and without scaling."""
    transform, limit = "log10" if spans_decades else "none", float("inf")
    return Variable(name, None, units, transform, -limit, limit, long_name, scaling_name="none")


def _joined(makers: Mapping[RetrievalStep, None], *, may_fail: bool) -> FlagTable:
    """Return the table of all bits that the flags of a combined product can have."""
    bits = {"input_missing": INPUT_MISSING}
    for maker in makers:
        bits |= dict(zip(maker.flags.names, maker.flags.masks, strict=True))
    if may_fail:
        bits["output_out_of_range"] = OUTPUT_OUT_OF_RANGE
    ordered = sorted(bits.items(), key=lambda bit: bit[1])
    names, masks = zip(*ordered, strict=True)
    return FlagTable(names, masks, np.dtype(np.uint8))


def _kind(variable: Variable) -> str:
    return f"{variable.units} (powers of ten)" if variable.spans_decades else variable.units


def _hint(name: str, known: Sequence[str]) -> str:
    hint = near(name, list(known)).replace("the columns are", "known are")
    return hint if hint.endswith("?") else f"{hint}."


def parsed(name: str, text: str) -> Expression:
    """Parse an expression of a product; ``nn14.saturated`` becomes ``nn14_saturated``.

    Raises:
        ConfigError: the text has a syntax error.
    """
    try:
        return Expression.parse(_FLAG_OF.sub(r"\1_\2", text), PIXELS)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}.") from None

"""Compares the record of a finished scene with the limits in the configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config.batch import QualityControl


def suspicions(record: Mapping[str, Any], limits: QualityControl) -> list[str]:
    """Return the reasons why a scene is suspect; ``record`` comes from a ``SceneReport``."""
    return [*_valid_fraction(record, limits), *_inputs(record, limits), *_flags(record, limits)]


def _valid_fraction(record: Mapping[str, Any], limits: QualityControl) -> Iterator[str]:
    least = limits.valid_fraction_min
    for network, share in record["valid_fraction"].items():
        if least is not None and share < least:
            yield f"{network} computed on {share:.2%} of the pixels, less than {least:.2%}"


def _inputs(record: Mapping[str, Any], limits: QualityControl) -> Iterator[str]:
    most = limits.input_out_of_range_max
    for network, inputs in record["inputs_out_of_range"].items():
        for name, share in inputs.items():
            if most is not None and share > most:
                yield f"{network}: {name} out of range on {share:.2%}, more than {most:.2%}"


def _flags(record: Mapping[str, Any], limits: QualityControl) -> Iterator[str]:
    for wanted, most in limits.flag_fraction_max.items():
        variable, _, flag = wanted.rpartition(".")
        shares = {
            name: of_flags[flag]
            for name, of_flags in record["flags"].items()
            if flag in of_flags and variable in ("", name)
        }
        if not shares:
            yield f"qc.flag_fraction_max names {wanted}, which the product does not have"
        for name, share in shares.items():
            if share > most:
                yield f"{name}.{flag} on {share:.2%} of the pixels, more than {most:.2%}"

"""Compares the record of a finished scene with the limits in the configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config.batch import QualityControl
from pipeline.scene.quality import QUALITY_FLAGS

# Flags of pixels that a network does not compute, besides those of masks.
_EXCLUDING = ("no_data", "outside_valid_range", "input_missing", "input_not_positive")
# Most flags that a message lists.
MOST_CAUSES = 4


def suspicions(record: Mapping[str, Any], limits: QualityControl) -> list[str]:
    """Return the reasons why a scene is suspect; ``record`` comes from a ``SceneReport``."""
    return [*_valid_fraction(record, limits), *_inputs(record, limits), *_flags(record, limits)]


def _valid_fraction(record: Mapping[str, Any], limits: QualityControl) -> Iterator[str]:
    least, pixels = limits.valid_fraction_min, record["pixels"]
    for network, share in record["valid_fraction"].items():
        if least is not None and share < least:
            causes = ", ".join(_causes(record["flags"], network))
            yield (
                f"{network} computed on {round(share * pixels)} of {pixels} pixels, less than "
                f"{least:.2%}{f' ({causes})' if causes else ''}"
            )


def _causes(flags: Mapping[str, Mapping[str, float]], network: str) -> Iterator[str]:
    """Yield the flags that exclude most pixels from a network, each with its share of pixels."""
    shares = [
        (share, name)
        for variable in (QUALITY_FLAGS, f"{network}_flags")
        for name, share in flags.get(variable, {}).items()
        if share > 0 and (name.startswith("masked_") or name in _EXCLUDING)
    ]
    for share, name in sorted(shares, reverse=True)[:MOST_CAUSES]:
        yield f"{name} {share:.1%}"


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

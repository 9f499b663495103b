"""Choice of bands for an algorithm, and descriptions of its inputs and outputs."""

from collections.abc import Sequence

from pipeline.errors import NetworkError
from pipeline.facts.quantities import quantities
from pipeline.networks import Variable


def nearest(wavelengths_nm: Sequence[float], target_nm: float, tolerance_nm: float) -> float | None:
    """Return the wavelength nearest to a target; if two are equally near, the shorter one.

    The result is None if no wavelength is within the tolerance.
    """
    best = min(sorted(map(float, wavelengths_nm)), key=lambda nm: abs(nm - target_nm), default=None)
    return best if best is not None and abs(best - target_nm) <= tolerance_nm else None


def choose(
    wavelengths_nm: Sequence[float],
    wanted: Sequence[tuple[float, float]],
    who: str,
    remark: str = "",
) -> tuple[float, ...]:
    """For each pair of a wanted wavelength and a tolerance (nm), return the nearest band.

    The remark, a sentence, is a part of the error message.

    Raises:
        NetworkError: a wavelength has no band within its tolerance, or two wavelengths have the
            same nearest band.
    """
    found = [nearest(wavelengths_nm, target, tolerance) for target, tolerance in wanted]
    chosen = [nm for nm in found if nm is not None]
    if len(set(chosen)) < len(wanted):
        listed = ", ".join(f"{target:g} +-{tolerance:g}" for target, tolerance in wanted)
        given = ", ".join(f"{nm:g}" for nm in sorted(wavelengths_nm)) or "none"
        raise NetworkError(
            f"{who} needs {len(wanted)} different bands at {listed} nm, found bands at {given} nm. "
            f"{remark}{' ' if remark else ''}Choose another algorithm, or data with these bands."
        )
    return tuple(chosen)


def reflectance(wavelength_nm: float, *, positive: bool) -> Variable:
    """Return an Rrs input; if ``positive`` is true, rows with zero or negative Rrs are left out."""
    return _variable("Rrs", wavelength_nm, "log10" if positive else "none")


def retrieved(
    quantity: str,
    wavelength_nm: float | None = None,
    log10_range: tuple[float, float] = (-float("inf"), float("inf")),
) -> Variable:
    """Return an output whose values are always positive."""
    return _variable(quantity, wavelength_nm, "log10", log10_range)


def _variable(
    quantity: str,
    wavelength_nm: float | None,
    transform: str,
    log10_range: tuple[float, float] = (-float("inf"), float("inf")),
) -> Variable:
    known = quantities()[quantity]
    return Variable(
        quantity=quantity,
        wavelength_nm=wavelength_nm,
        units=known.units,
        transform_name=transform,
        minimum=log10_range[0],
        maximum=log10_range[1],
        long_name=known.long_name,
        standard_name=known.standard_name,
        scaling_name="none",
    )

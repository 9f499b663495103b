"""Reads C2RCC's text networks (``.net``), which contain their description.

Such a file lists the inputs and outputs with their ranges, then the sizes of the layers
(``#planes=5 17 97 77 77 2``), then blocks ``bias K n`` and ``wgt K inputs units`` with one number a
line. Each layer is a logistic sigmoid. Inputs and outputs are scaled to 0..1 by their ranges, and
``log_`` is the natural logarithm (public resources of s3tbx, ``auxdata/nets``).
"""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import NetworkError
from pipeline.files.contents import read_bytes, sha256_of
from pipeline.files.identity import unchanged
from pipeline.files.limits import NETWORK_NUMBERS, NETWORK_TEXT_BYTES
from pipeline.files.regular import first_bytes
from pipeline.networks.description import Layer, Network
from pipeline.networks.variable import Variable

SUFFIX = ".net"
# A file begins with remarks about its training; the first inputs come soon after.
HEAD_BYTES = 65_536

_COUNT = re.compile(r"the net has (\d{1,6}) (inputs|outputs):?")
_NAMED = re.compile(r"(input|output)\s+(\d{1,6}) is (\w+) in \[([^,\]]+),([^,\]]+)\]")
_PLANES = re.compile(r"#planes=\s*((?:\d{1,7}\s*)+)")
_BIAS = re.compile(r"bias (\d{1,6}) (\d{1,7})")
_WEIGHTS = re.compile(r"wgt (\d{1,6}) (\d{1,7}) (\d{1,7})")

_LN_PI = math.log(math.pi)
# Name in a file -> quantity, units, transform.
_KNOWN = {
    "sun_zenith": ("solar_zenith", "degree", "none"),
    "view_zenith": ("sensor_zenith", "degree", "none"),
    "view_azimuth": ("relative_azimuth", "degree", "azimuth_difference"),
    "temperature": ("sea_surface_temperature", "degree_Celsius", "none"),
    "salinity": ("sea_surface_salinity", "1", "none"),
}
# Absorption and scattering at 443 nm, and diffuse attenuation.
_PER_METRE = ("apig", "adet", "agelb", "bpart", "bwit", "kdmin", "kd489")


def is_c2rcc(path: Path) -> bool:
    """Return whether a file begins like C2RCC's networks."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        return b"the net has " in first_bytes(path, HEAD_BYTES, NetworkError)
    except (OSError, NetworkError):
        return False


def read_c2rcc(path: Path) -> Network:
    """Read a network; it names no sensor, so a run must allow the sensor of its scene.

    Water-leaving reflectance (``log_rw_443``) becomes Rrs = rho_w / pi, and its range is shifted by
    ln(pi).

    Raises:
        NetworkError: a part is missing or occurs twice, or a number is not finite.
    """
    with unchanged([path], NetworkError):
        text = read_bytes(path, NETWORK_TEXT_BYTES, NetworkError).decode("latin-1")
        sha256 = sha256_of(path, NetworkError)
    found = _Lines(path.name, text)
    inputs, outputs = found.variables("input"), found.variables("output")
    layers = found.layers(len(inputs), len(outputs))
    return Network(
        name=path.stem,
        title=path.stem,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        sensors=(),
        citation="Brockmann et al. 2016, ESA SP-740 (C2RCC)",
        licence="",
        file_name=path.name,
        sha256=sha256,
    )


@dataclass(frozen=True)
class _Block:
    """Numbers under a line ``bias K n`` or ``wgt K inputs units``."""

    shape: tuple[int, ...]
    numbers: np.ndarray[tuple[int], np.dtype[np.float64]]


class _Lines:
    """The lines of a file."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = [line.strip() for line in text.splitlines()]
        planes = [n for n, line in enumerate(self._lines) if _PLANES.fullmatch(line)]
        if len(planes) != 1:
            raise self._error(f"found {len(planes)} lines #planes=, expected one")
        self._planes = planes[0]

    def _error(self, problem: str) -> NetworkError:
        return NetworkError(f"{self._name}: {problem}. The file is damaged; fetch it again.")

    def variables(self, kind: str) -> tuple[Variable, ...]:
        """Return the inputs or the outputs in order."""
        head = self._lines[: self._planes]
        counts = [m for line in head if (m := _COUNT.fullmatch(line)) and m[2] == f"{kind}s"]
        if len(counts) != 1:
            raise self._error(f"found {len(counts)} lines 'the net has N {kind}s', expected one")
        named = [m for line in head if (m := _NAMED.fullmatch(line)) and m[1] == kind]
        numbers = [int(match[2]) for match in named]
        expected = int(counts[0][1])
        if numbers != list(range(1, expected + 1)):
            raise self._error(f"found the {kind}s {numbers}, expected 1 to {expected} in order")
        return tuple(self._variable(match[3], match[4], match[5]) for match in named)

    def _variable(self, name: str, low: str, high: str) -> Variable:
        ends = self._finite(low, name), self._finite(high, name)
        if not ends[0] < ends[1]:
            raise self._error(f"{name} has the range {list(ends)}, expected the smaller end first")
        plain = name.removeprefix("log_")
        transform = "ln" if plain != name else "none"
        if match := re.fullmatch(r"rw_?(\d{3,4}(?:\.\d+)?)", plain):
            if transform == "ln":
                ends = ends[0] - _LN_PI, ends[1] - _LN_PI
            else:
                ends = ends[0] / math.pi, ends[1] / math.pi
            return _variable("Rrs", float(match[1]), "sr-1", transform, ends)
        if name in _KNOWN:
            quantity, units, transform = _KNOWN[name]
            return _variable(quantity, None, units, transform, ends)
        units = "m-1" if plain in _PER_METRE else "1"
        return _variable(plain, None, units, transform, ends)

    def layers(self, inputs: int, outputs: int) -> tuple[Layer, ...]:
        """Return the layers; ``inputs`` and ``outputs`` are the numbers of named variables."""
        match = _PLANES.fullmatch(self._lines[self._planes])
        count, *sizes = map(int, match[1].split()) if match else (0,)
        if count != len(sizes) or count < 2 or (sizes[0], sizes[-1]) != (inputs, outputs):
            raise self._error(
                f"#planes= has {sizes}, expected {count} sizes from {inputs} inputs to {outputs} "
                "outputs"
            )
        total = sum(before * after for before, after in itertools.pairwise(sizes))
        NETWORK_NUMBERS.check(total, self._name, NetworkError)
        blocks = dict(self._blocks())
        layers = []
        for number, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
            bias = self._block(blocks, f"bias {number}", (after,))
            kernel = self._block(blocks, f"wgt {number - 1}", (before, after))
            layers.append(Layer(kernel.reshape(after, before).T.copy(), bias, "sigmoid"))
        if len(blocks) != 2 * len(layers):
            raise self._error(f"found {len(blocks)} blocks, expected {2 * len(layers)}")
        return tuple(layers)

    def _block(
        self, blocks: dict[str, _Block], name: str, shape: tuple[int, ...]
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        if name not in blocks:
            raise self._error(f"the block '{name}' is missing")
        if blocks[name].shape != shape:
            raise self._error(f"'{name}' has the sizes {blocks[name].shape}, expected {shape}")
        return blocks[name].numbers

    def _blocks(self) -> Iterator[tuple[str, _Block]]:
        """Yield the blocks after the line ``#planes=``; each name occurs once."""
        at, seen = self._planes + 1, set[str]()
        while at < len(self._lines):
            line = self._lines[at]
            match = _BIAS.fullmatch(line) or _WEIGHTS.fullmatch(line)
            if match is None:
                if line:
                    raise self._error(f"line {at + 1} is {line[:40]!r}, expected a block")
                at += 1
                continue
            shape = tuple(int(size) for size in match.groups()[1:])
            name = f"{line.split()[0]} {int(match[1])}"
            if name in seen:
                raise self._error(f"the block '{name}' occurs twice")
            seen.add(name)
            stop = at + 1 + math.prod(shape)
            if stop > len(self._lines):
                raise self._error(f"the block '{name}' is cut short")
            numbers = [self._finite(each, name) for each in self._lines[at + 1 : stop]]
            yield name, _Block(shape, np.array(numbers))
            at = stop

    def _finite(self, text: str, where: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._error(f"{where} has {text[:40]!r}, expected a finite number")
        return number


def _variable(
    quantity: str,
    wavelength_nm: float | None,
    units: str,
    transform: str,
    ends: tuple[float, float],
) -> Variable:
    return Variable(quantity, wavelength_nm, units, transform, *ends, scaling_name="minmax_01")

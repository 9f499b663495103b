"""Quality bits: what docs/quality.md says is what the code writes."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.scene import quality
from pipeline.scene.quality import INPUT_UNCERTAIN, FlagTable, network_flags, pixel_flags

pytestmark = pytest.mark.quick

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "quality.md"
RANGES = dict.fromkeys(
    ("limited_inputs", "input_ranges", "output_ranges", "log_outputs", "scope_check"), True
)


def documented(heading):
    """Name -> bit of the table under a heading of docs/quality.md."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## `{heading}")[1].split("\n## ")[0]
    return {
        name: int(bit)
        for bit, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
    }


def as_dict(table):
    return dict(zip(table.names, table.masks, strict=True))


def test_pixel_bits_are_the_documented_ones():
    """Users decode products by that table."""
    assert as_dict(pixel_flags(())) == documented("quality_flags")
    assert len(documented("quality_flags")) == 4


def test_network_bits_are_the_documented_ones():
    """The same for the flags of a network."""
    table = network_flags(**RANGES).and_bit("input_uncertain", INPUT_UNCERTAIN)
    assert as_dict(table) == documented("<network>_flags")
    assert len(documented("<network>_flags")) == 7


def test_mask_rules_have_bits_from_256_up():
    """In their order, each named after its rule."""
    found = as_dict(pixel_flags(["LAND", "low_sun", "missing"]))
    rules = {name: bit for name, bit in found.items() if name.startswith("masked_")}
    assert rules == {"masked_LAND": 256, "masked_low_sun": 512, "masked_missing": 1024}


def test_bit_31_is_never_used():
    """A uint32 with all bits set would read back as missing."""
    rules = [f"rule{number}" for number in range(quality.MOST_MASK_RULES)]
    table = pixel_flags(rules)
    together = int(np.bitwise_or.reduce(np.array(table.masks, table.dtype)))
    assert together < 1 << 31
    assert together & 0xF0 == 0
    assert max(table.masks) == 1 << 30
    assert len(table.names) == len(set(table.masks)) == 27


@pytest.mark.parametrize(
    ("without", "lacks"),
    [
        ("limited_inputs", {"input_not_positive"}),
        ("input_ranges", {"input_out_of_range"}),
        ("output_ranges", {"output_out_of_range", "output_at_limit"}),
        ("log_outputs", {"output_at_limit"}),
        ("scope_check", {"out_of_scope"}),
    ],
)
def test_a_network_without_ranges_lacks_their_bits(without, lacks):
    """The other bits stay where they are."""
    complete = as_dict(network_flags(**RANGES))
    found = as_dict(network_flags(**(RANGES | {without: False})))
    assert found == {name: bit for name, bit in complete.items() if name not in lacks}


def test_a_missing_input_always_has_a_bit():
    """Even of a network that knows nothing else."""
    assert as_dict(network_flags(**dict.fromkeys(RANGES, False))) == {"input_missing": 1}


@pytest.mark.parametrize(
    ("table", "dtype"),
    [(pixel_flags(["LAND"]), np.uint32), (network_flags(**RANGES), np.uint8)],
    ids=["pixel", "network"],
)
def test_attributes_are_those_of_cf(table, dtype):
    """Masks have the variable's own type, one word of the meanings for each."""
    attributes = table.attributes()
    assert np.dtype(dtype) == table.dtype == attributes["flag_masks"].dtype
    assert attributes["flag_masks"].tolist() == list(table.masks)
    assert attributes["flag_meanings"].split(" ") == list(table.names)


def test_counts_are_of_each_bit_by_itself():
    """Bits are OR-ed, so that one pixel may count for several."""
    table = FlagTable(("a", "b", "c"), (1, 2, 128), np.dtype(np.uint8))
    flags = np.array([[0, 1, 3], [131, 4, 255]], np.uint8)
    counts = table.counts(flags)
    assert counts.tolist() == [4, 3, 2]
    assert np.dtype(np.int64) == counts.dtype


def test_counts_of_nothing_are_zero():
    """An empty block counts nothing."""
    assert pixel_flags(()).counts(np.zeros((0, 5), np.uint32)).tolist() == [0, 0, 0, 0]

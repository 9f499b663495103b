"""Which scenes are suspect."""

import pytest

from pipeline.batch.quality_control import suspicions
from pipeline.config.batch import QualityControl

RECORD = {
    "pixels": 1000,
    "valid_fraction": {"aph": 0.04, "adg": 0.2},
    "inputs_out_of_range": {"aph": {"Rrs_412": 0.3, "Rrs_443": 0.0}, "adg": {"Rrs_412": 0.3}},
    "flags": {
        "quality_flags": {
            "masked_CLDICE": 0.9,
            "no_data": 0.1,
            "masked_LAND": 0.0,
            "saturated": 0.95,
        },
        "aph_flags": {"output_out_of_range": 0.02, "input_not_positive": 0.03},
        "adg_flags": {"output_out_of_range": 0.5},
    },
}

FEW = (
    "aph computed on 40 of 1000 pixels, less than 5.00% "
    "(masked_CLDICE 90.0%, no_data 10.0%, input_not_positive 3.0%)"
)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, []),
        ({"valid_fraction_min": 0.05}, [FEW]),
        ({"valid_fraction_min": 0.04}, []),
        (
            {"input_out_of_range_max": 0.2},
            [f"{n}: Rrs_412 out of range on 30.00%, more than 20.00%" for n in ("aph", "adg")],
        ),
        ({"flag_fraction_max": {"output_out_of_range": 0.1}},
         ["adg_flags.output_out_of_range on 50.00% of the pixels, more than 10.00%"]),
        ({"flag_fraction_max": {"aph_flags.output_out_of_range": 0.01}},
         ["aph_flags.output_out_of_range on 2.00% of the pixels, more than 1.00%"]),
        ({"flag_fraction_max": {"masked_CLDICE": 0.95}}, []),
        ({"flag_fraction_max": {"masked_CLOUD": 0.5}},
         ["qc.flag_fraction_max names masked_CLOUD, which the product does not have"]),
    ],
)  # fmt: skip
def test_each_threshold(limits, expected):
    """A scene is suspect beyond a threshold, not at it; a misspelt flag does not pass."""
    assert suspicions(RECORD, QualityControl(**limits)) == expected


def test_a_scene_of_which_almost_nothing_is_left_is_suspect():
    """Without any limit in the configuration; the masks that took the pixels are named."""
    flags = {"masked_TURBIDW": 0.96, "masked_HILT": 0.77, "masked_STRAYLIGHT": 0.0}
    record = {
        "pixels": 154000,
        "valid_fraction": {"aph": 1 / 154000},
        "inputs_out_of_range": {},
        "flags": {"quality_flags": flags},
    }
    expected = (
        "aph computed on 1 of 154000 pixels, less than 0.10% "
        "(masked_TURBIDW 96.0%, masked_HILT 77.0%)"
    )
    assert suspicions(record, QualityControl()) == [expected]
    assert suspicions(record, QualityControl(valid_fraction_min=None)) == []

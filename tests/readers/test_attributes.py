"""Attributes become the same text and the same time, however a file stores them."""

import numpy as np
import pytest

from pipeline.readers.attributes import as_text, iso_time


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" sr^-1 ", "sr^-1"),
        (b"sr\xff", "sr\ufffd"),
        (np.array([b"SGLI"]), "SGLI"),
        (np.array(["a", "b"]), "a, b"),
        (np.float64(0.5), "0.5"),
        (np.array([], "S1"), ""),
    ],
)
def test_text(value, text):
    """Text, bytes, numbers and arrays of them, without blanks at the ends."""
    assert as_text(value) == text


def test_lines_of_a_text():
    """The separator is the caller's."""
    assert as_text(np.array([b"Bit 0: LAND", b"Bit 1: CLOUD"]), "\n").count("\n") == 1


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("20230103 02:09:12.345", "%Y%m%d %H:%M:%S.%f", "2023-01-03T02:09:12.345Z"),
        ("2023-01-03T02:09:12", None, "2023-01-03T02:09:12.000Z"),
        ("2023-01-03T02:09:12+02:00", None, "2023-01-03T00:09:12.000Z"),
        ("yesterday", None, "yesterday"),
        ("2023-01-03", "%Y%m%d", "2023-01-03"),
    ],
)
def test_times(text, pattern, expected):
    """ISO 8601 in UTC; what does not match is kept."""
    assert iso_time(text, pattern) == expected

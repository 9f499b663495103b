"""The axes of a map, for formats that store latitude and longitude in one dimension each."""

import numpy as np

from miniatures.truth import Truth


def axes_of(truth: Truth, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Latitude of every line and longitude of every pixel; refuses a swath."""
    latitude, longitude = truth.latitude[:, 0], truth.longitude[0]
    if (truth.latitude != latitude[:, None]).any() or (truth.longitude != longitude).any():
        raise ValueError("this format stores 1-D axes: make the truth with map_of_coordinates")
    return latitude.astype(dtype), longitude.astype(dtype)

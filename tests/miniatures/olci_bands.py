"""Sentinel-3 OLCI's bands with a water reflectance, by number, with nominal wavelengths (nm)."""

WAVELENGTH = {1: 400.0, 2: 412.5, 3: 442.5, 4: 490.0, 5: 510.0, 6: 560.0, 7: 620.0, 8: 665.0}
WAVELENGTH |= {9: 673.75, 10: 681.25, 11: 708.75, 12: 753.75, 16: 778.75, 17: 865.0, 18: 885.0}
WAVELENGTH |= {21: 1020.0}
BANDWIDTH = dict.fromkeys(WAVELENGTH, 10.0) | dict.fromkeys((1, 16), 15.0)
BANDWIDTH |= dict.fromkeys((9, 10, 12), 7.5) | {17: 20.0, 21: 40.0}
BANDS = tuple(WAVELENGTH.values())


def index_of(nm: float) -> int:
    """The number of the band within 2 nm."""
    for index, center in WAVELENGTH.items():
        if abs(center - nm) <= 2:
            return index
    raise ValueError(f"no OLCI band at {nm} nm; there are {', '.join(map(str, BANDS))}")

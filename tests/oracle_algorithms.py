"""Independent float64 answers of published algorithms, pixel by pixel in plain Python.

Written from the publications that ``configs/algorithms`` names; shares no code and no table with
the product, but for pure water, whose own tests are in ``tests/simulation``.
"""

import math

NAN = float("nan")

# NASA's coefficients, typed anew: a0 ... a4.
OC4_V6_SEAWIFS = (0.3272, -2.9940, 2.7218, -1.2259, -0.5683)
OC3_V6_MODIS = (0.2424, -2.7423, 1.8017, 0.0015, -1.2280)
OC4_2019_SEAWIFS = (0.32814, -3.20725, 3.22969, -1.36769, -0.81739)
OC3_2019_MODIS = (0.26294, -2.64669, 1.28364, 1.08209, -1.76828)
OC3_2019_VIIRS = (0.23548, -2.63001, 1.65498, 0.16117, -1.37247)
OC4_2019_OLCI = (0.42540, -3.21679, 2.86907, -0.62628, -1.09333)

# (a0, a1 of the color index; the two ends of the blend, mg m-3)
CI_2012 = ((-0.4909, 191.6590), (0.15, 0.20))
CI_2019 = ((-0.4287, 230.47), (0.25, 0.35))

# Rrs at 547, 551 and 560 nm to 555 nm: switch, exponent, minus constant, slope, minus offset.
SHIFTS = {
    547: (0.001723, 0.986, 0.081495, 1.031, 0.000216),
    551: (0.001597, 0.988, 0.062195, 1.014, 0.000128),
    560: (0.001148, 1.023, -0.103624, 0.979, -0.000121),
}

# Pure water at the bands of MODIS, m-1: Pope and Fry, linear between rows; Zhang et al. 2009.
MODIS_NM = (412.0, 443.0, 488.0, 547.0, 667.0)
MODIS_AW = (0.0046, 0.007046, 0.01444, 0.05326, 0.433)
MODIS_BBW = (
    0.00290184316615,
    0.00212725874468,
    0.00141115542711,
    0.000873174768653,
    0.000382049103033,
)


def ocx(blue, green, a):
    """Chlorophyll by the maximum band ratio."""
    if not all(map(math.isfinite, (*blue, green))) or green <= 0 or blue[-1] <= 0:
        return NAN
    ratio = max(blue) / green
    if min(blue) <= -0.001 or not 0.21 < ratio < 30:
        return NAN
    x = math.log10(ratio)
    chl = 10 ** (a[0] + a[1] * x + a[2] * x**2 + a[3] * x**3 + a[4] * x**4)
    return min(max(chl, 0.001), 1000.0)


def oci(blue, green, red, a, index, green_nm):
    """Chlorophyll by the color index, the band ratio, or between the two."""
    (b0, b1), (start, end) = index
    if not all(map(math.isfinite, (*blue, green, red))) or green <= 0 or blue[-1] <= 0:
        return NAN
    if green_nm in SHIFTS:
        switch, exponent, minus, slope, offset = SHIFTS[green_nm]
        shifted = 10 ** (exponent * math.log10(green) - minus)
        if green >= switch:
            shifted = slope * green - offset
    else:
        shifted = green
    ci = shifted - (blue[0] + (555 - 443) / (670 - 443) * (red - blue[0]))
    ci = min(ci, 0.0) if blue[0] > 0 else 0.0
    low = min(max(10 ** (b0 + b1 * ci), 0.001), 1000.0)
    if low <= start:
        return low
    high = ocx(blue, green, a)
    if low >= end:
        return high
    return low * (end - low) / (end - start) + high * (low - start) / (end - start)


def qaa_v6(above, nm=MODIS_NM, aw=MODIS_AW, bbw=MODIS_BBW, between=None):
    """(aph, adg, bbp) at the five bands; the steps of Lee et al. 2014 in their order.

    With two limits of red Rrs, bbp between them is the mean of what both references give.
    """
    violet, blue, cyan, green, red = range(5)
    below = [r / (0.52 + 1.7 * r) for r in above]
    u = [(-0.089 + math.sqrt(0.089**2 + 4 * 0.1245 * r)) / (2 * 0.1245) for r in below]

    def bbp_of(at, a0):
        bbp0 = u[at] * a0 / (1 - u[at]) - bbw[at]
        eta = 2 * (1 - 1.2 * math.exp(-0.9 * below[blue] / below[green]))
        return [bbp0 * (nm[at] / one) ** eta for one in nm]

    def bbp_by_green():
        numerator = below[blue] + below[cyan]
        chi = math.log10(numerator / (below[green] + 5 * below[red] / below[cyan] * below[red]))
        return bbp_of(green, aw[green] + 10 ** (-1.146 - 1.366 * chi - 0.469 * chi**2))

    def bbp_by_red():
        ratio = above[red] / (above[blue] + above[cyan])
        return bbp_of(red, aw[red] + 0.39 * ratio**1.14)

    low, high = between or (0.0015, 0.0015)
    if above[red] < low or above[red] == low != high:
        bbp = bbp_by_green()
    elif above[red] >= high:
        bbp = bbp_by_red()
    else:
        share = math.log10(above[red] / low) / math.log10(high / low)
        both = zip(bbp_by_green(), bbp_by_red(), strict=True)
        bbp = [(1 - share) * g + share * x for g, x in both]
    r = below[blue] / below[green]
    a = [(1 - u[i]) * (bbw[i] + bbp[i]) / u[i] if u[i] else NAN for i in range(5)]
    zeta, s = 0.74 + 0.2 / (0.8 + r), 0.015 + 0.002 / (0.6 + r)
    xi = math.exp(s * (nm[blue] - nm[violet]))
    adg_blue = (a[violet] - zeta * a[blue] - (aw[violet] - zeta * aw[blue])) / (xi - zeta)
    adg = [adg_blue * math.exp(-s * (one - nm[blue])) for one in nm]
    aph = [a[i] - adg[i] - aw[i] for i in range(5)]
    return [[v if v > 0 else NAN for v in spectrum] for spectrum in (aph, adg, bbp)]

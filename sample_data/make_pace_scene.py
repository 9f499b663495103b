"""Make a synthetic scene in the layout of PACE OCI, version 3.1: one Rrs with 170 wavelengths.

Run ``python sample_data/make_pace_scene.py FOLDER``. It writes 8 MB in half a minute, so the scene
is made where it is needed. It shows a part of the imaginary sea of the MODIS sample scene, at the
same time, and is not an observation.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from imaginary_sea import Sea, make_sea
from make_scene import MODIS, SEED, Bands, View, assemble, failures, look_at, measure
from obpg_file import Level2, write_level2
from swath_geometry import Swath

NAME = "PACE_OCI.20240615T183500.L2.OC_AOP.V3_1.nc"
PART = (slice(100, 356), slice(40, 296))
"""Lines and pixels of the MODIS scene: the coast, both plumes and clear water."""

# Wavelengths of Rrs in OCI's Level-2 AOP files of version 3.1 (whole nm, as in the files), from the
# first one that the forward model covers.
# fmt: off
WAVELENGTHS = (
    351, 353, 356, 358, 361, 363, 366, 368, 371, 373, 375, 378, 380, 383, 385, 388, 390, 393, 395,
    398, 400, 403, 405, 408, 410, 413, 415, 418, 420, 422, 425, 427, 430, 432, 435, 437, 440, 442,
    445, 447, 450, 452, 455, 457, 460, 462, 465, 467, 470, 472, 475, 477, 480, 482, 485, 487, 490,
    492, 495, 497, 500, 502, 505, 507, 510, 512, 515, 517, 520, 522, 525, 527, 530, 532, 535, 537,
    540, 542, 545, 547, 550, 553, 555, 558, 560, 563, 565, 568, 570, 573, 575, 578, 580, 583, 586,
    588, 613, 615, 618, 620, 623, 625, 627, 630, 632, 635, 637, 640, 641, 642, 643, 645, 646, 647,
    648, 650, 651, 652, 653, 655, 656, 657, 658, 660, 661, 662, 663, 665, 666, 667, 668, 670, 671,
    672, 673, 675, 676, 677, 678, 679, 681, 682, 683, 684, 686, 687, 688, 689, 691, 692, 693, 694,
    696, 697, 698, 699, 701, 702, 703, 704, 706, 707, 708, 709, 711, 712, 713, 714, 717, 719,
)
# fmt: on


def main(folder: Path) -> None:
    """Draw the sea, look at a part of it with OCI, write the file."""
    rng = np.random.default_rng(SEED)
    view = part_of(look_at(make_sea(rng)))
    bands = like_modis(WAVELENGTHS)
    rrs = measure(view, bands, rng)
    missing = view.land | view.cloud | failures(view, rng)
    rrs[missing] = np.nan
    path = folder / NAME
    write_level2(path, as_pace(assemble(view, bands, rrs, missing)))
    lines, pixels, count = rrs.shape
    print(f"{path.name}: {lines} lines x {pixels} pixels x {count} wavelengths")


def part_of(view: View) -> View:
    """Cut the part out of every field."""
    swath = Swath(**{name: field[PART] for name, field in vars(view.swath).items()})
    sea = Sea(**{name: field[PART] for name, field in vars(view.sea).items()})
    rest = {name: field[PART] for name, field in vars(view).items() if name not in ("swath", "sea")}
    return View(swath=swath, sea=sea, **rest)


def like_modis(nm: tuple[int, ...]) -> Bands:
    """Errors of the size of MODIS's at the nearest wavelengths; below 412 nm as at 412 nm."""
    sizes = {
        name: np.interp(nm, MODIS.nm, getattr(MODIS, name))
        for name in ("noise", "correction_error", "haze_loss")
    }
    return Bands(nm=nm, **sizes)


def as_pace(scene: Level2) -> Level2:
    """The scene with what a file of PACE says of itself."""
    own = {
        "title": "Synthetic PACE OCI Level-2 AOP scene (simulated, not an observation)",
        "product_name": NAME,
        "processing_version": "3.1",
        "instrument": "OCI",
        "platform": "PACE",
        "history": "python sample_data/make_pace_scene.py",
    }
    parameters = dict(scene.parameters) | {"ofile": NAME, "l2prod": "Rrs l2_flags solz senz relaz"}
    processing = dict(scene.processing) | {"software_name": "sample_data/make_pace_scene.py"}
    return replace(
        scene,
        sensor_wavelengths=WAVELENGTHS,
        attributes=dict(scene.attributes) | own,
        processing=processing,
        parameters=parameters,
        is_hyperspectral=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""TIFF files whose directory says something else, and files beside them that want to be heard."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import rasterio
from affine import Affine
from rasterio.shutil import copy

from fuzz.outside import Outside

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, FORMAT = 317, 322, 323, 324, 325, 339
SCALE, TIE_POINTS, TRANSFORM, KEYS, METADATA, NODATA = 33550, 33922, 34264, 34735, 42112, 42113
STRUCTURE = (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, ROWS)
STRUCTURE += (STRIP_BYTES, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES)
STRUCTURE += (FORMAT,)
VALUES = (0, 1, 2, 3, 5, 7, 8, 16, 32, 64, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, 50000, 34887)
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 12: 8, 16: 8}


@dataclass(frozen=True)
class Entry:
    """An entry of the first directory."""

    at: int
    """Where it stands."""
    tag: int
    type: int
    count: int
    value: int
    """What is wanted, or where it stands."""

    @property
    def inline(self) -> bool:
        """Whether the value itself stands in the entry."""
        return SIZES.get(self.type, 8) * self.count <= 4

    @property
    def value_at(self) -> int:
        """Where the first value stands."""
        return self.at + 8 if self.inline else self.value


def _entries(stored: bytes) -> list[Entry]:
    (start,) = struct.unpack_from("<I", stored, 4)
    (count,) = struct.unpack_from("<H", stored, start)
    places = [start + 2 + 12 * number for number in range(count)]
    return [Entry(at, *struct.unpack_from("<HHII", stored, at)) for at in places]


def _drawn(stored: bytes, draw: Random, *tags: int) -> Entry:
    entries = _entries(stored)
    return draw.choice([e for e in entries if e.tag in tags] or entries)


def _put(path: Path, stored: bytes, at: int, form: str, value: int) -> None:
    changed = bytearray(stored)
    mask = (1 << (8 * struct.calcsize(form))) - 1
    struct.pack_into(form, changed, at, value & mask)
    path.write_bytes(changed)


def tag_value(path: Path, draw: Random, _: Outside) -> str:
    """One value of a tag."""
    stored = path.read_bytes()
    structural = draw.random() < 0.7
    entry = _drawn(stored, draw, *(STRUCTURE if structural else (SCALE, TIE_POINTS, KEYS)))
    width = SIZES.get(entry.type, 1)
    at = entry.value_at + width * draw.randrange(max(min(entry.count, 40), 1))
    value = draw.choice(VALUES)
    form = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}[width]
    _put(path, stored, min(at, len(stored) - width), form, value)
    return f"tag {entry.tag}: {value}"


def tag_header(path: Path, draw: Random, _: Outside) -> str:
    """The number, the type or the count of a tag."""
    stored = path.read_bytes()
    entry = _drawn(stored, draw)
    what, at, form, values = draw.choice(
        (
            ("number", 0, "<H", (0, 65000, STRIP_OFFSETS, WIDTH, METADATA, 330, 347, 700, 34665)),
            ("type", 2, "<H", (0, 1, 2, 3, 4, 5, 12, 13, 16, 17, 18, 99)),
            ("count", 4, "<I", (0, 1, 2, 10_000, 0x7FFFFFFF, 0xFFFFFFFF)),
            ("place", 8, "<I", (0, 8, len(stored) - 2, len(stored), 0xFFFFFFF0)),
        )
    )
    value = draw.choice(values)
    _put(path, stored, entry.at + at, form, value)
    return f"{what} of tag {entry.tag}: {value}"


def huge_raster(path: Path, draw: Random, _: Outside) -> str:
    """Very many lines and pixels, of which hardly any are stored."""
    stored = bytearray(path.read_bytes())
    sizes = draw.choice(((0x7FFFFFFF, 0x7FFFFFFF), (2_000_000, 1_000_000), (26, 0x7FFFFFFF)))
    strip = draw.choice((None, 0x7FFFFFFF, 1))
    for tag, value in ((WIDTH, sizes[0]), (HEIGHT, sizes[1]), (ROWS, strip)):
        for entry in _entries(bytes(stored)):
            if entry.tag == tag and value is not None:
                struct.pack_into("<HHII", stored, entry.at, tag, 4, 1, value)
    path.write_bytes(stored)
    return f"{sizes[1]} lines x {sizes[0]} pixels, strips of {strip}"


def offsets(path: Path, draw: Random, _: Outside) -> str:
    """Strips or tiles beyond the end, at the start, in each other's place."""
    stored = path.read_bytes()
    entry = _drawn(stored, draw, STRIP_OFFSETS, TILE_OFFSETS, STRIP_BYTES, TILE_BYTES)
    width = SIZES.get(entry.type, 4)
    at = entry.value_at + width * draw.randrange(entry.count)
    value = draw.choice((0, 4, len(stored) - 1, len(stored), len(stored) + 100, 0xFFFFFF00))
    _put(path, stored, at, {2: "<H", 4: "<I", 8: "<Q"}[width], value)
    return f"tag {entry.tag}: {value}"


def next_directory(path: Path, draw: Random, _: Outside) -> str:
    """A next directory that is this one, or somewhere, or the first one is."""
    stored = path.read_bytes()
    (start,) = struct.unpack_from("<I", stored, 4)
    (count,) = struct.unpack_from("<H", stored, start)
    place = draw.choice((4, start + 2 + 12 * count))
    value = draw.choice(
        (0, start, 8, len(stored) - 3, len(stored) + 8, draw.randrange(len(stored)))
    )
    _put(path, stored, place, "<I", value)
    return f"directory at {value}, said at {place}"


def flip_strip(path: Path, draw: Random, _: Outside) -> str:
    """Bits of the pixels as they are stored."""
    stored = bytearray(path.read_bytes())
    entries = {entry.tag: entry for entry in _entries(bytes(stored))}
    entry = entries.get(STRIP_OFFSETS) or entries[TILE_OFFSETS]
    form = "<H" if SIZES[entry.type] == 2 else "<I"
    at = entry.value_at + SIZES[entry.type] * draw.randrange(entry.count)
    (start,) = struct.unpack_from(form, stored, at)
    for _flip in range(draw.choice((1, 1, 4))):
        stored[min(start + draw.randrange(200), len(stored) - 1)] ^= 1 << draw.randrange(8)
    path.write_bytes(stored)
    return f"bits of the strip at {start}"


def metadata(path: Path, draw: Random, _: Outside) -> str:
    """Names, units and tags of bands that are odd."""
    texts = (
        "",
        "443",
        "560 nm",
        "Rrs_443",
        "Rrs_nan",
        "\x1b[31m",
        "x" * 20_000,
        "<a&b>",
        "443\n560",
    )
    with rasterio.open(path, "r+") as file:
        band, text = draw.randint(1, file.count), draw.choice(texts)
        what = draw.choice(("description", "unit", "wavelength", "title", "gdal"))
        match what:
            case "description":
                file.set_band_description(band, text)
            case "unit":
                file.units = [text, *file.units[1:]]
            case "wavelength":
                file.update_tags(band, wavelength=text)
            case "title":
                file.update_tags(TIFFTAG_IMAGEDESCRIPTION=text, AREA_OR_POINT="Point")
            case _:
                taken = {"scales": "7", "offsets": "3", "_FillValue": "1", "add_offset": "7"}
                file.update_tags(scale_factor=text, units=text, **taken)
    return f"{what} of band {band}: {text[:20]!r}"


def nodata(path: Path, draw: Random, _: Outside) -> str:
    """The text that says which number is missing."""
    text = draw.choice(
        (b"nan", b"-32768", b"0", b"1e40", b"-inf", b"abc", b"0.0017", b"-24000", b"")
    )
    with rasterio.open(path, "r+") as file:
        file.nodata = 7
    stored = bytearray(path.read_bytes())
    for entry in _entries(bytes(stored)):
        if entry.tag == NODATA:
            new = text + b"\0"
            place = len(stored)
            stored += new.ljust(8, b"\0")
            inline = len(new) <= 4
            value = int.from_bytes(new.ljust(4, b"\0")[:4], "little") if inline else place
            struct.pack_into("<HHII", stored, entry.at, NODATA, 2, len(new), value)
    path.write_bytes(stored)
    return f"nodata {text!r}"


def packing(path: Path, draw: Random, _: Outside) -> str:
    """Scales and offsets, each band its own."""
    numbers = (1.0, 0.5, 2e-6, -1e-5, 0.0, float("nan"), float("inf"), 1e300)
    with rasterio.open(path, "r+") as file:
        file.scales = [draw.choice(numbers) for _ in file.indexes]
        file.offsets = [draw.choice((0.0, 0.05, -1.0, float("nan"), 1e300)) for _ in file.indexes]
        return f"scales {file.scales}, offsets {file.offsets}"


def rewritten(path: Path, draw: Random, _: Outside) -> str:
    """The same raster as another program might store it; as good as before."""
    options = {
        "compress": draw.choice(("none", "lzw", "deflate", "packbits", "zstd", "lzma")),
        "interleave": draw.choice(("band", "pixel")),
        "bigtiff": draw.choice(("yes", "no")),
        "endianness": draw.choice(("big", "little")),
        "tiled": draw.choice(("yes", "no")),
        "blockxsize": 16,
        "blockysize": 16,
        "sparse_ok": "true",
    }
    if options["tiled"] == "no":
        del options["blockxsize"]
    made = path.with_suffix(".new")
    copy(path, made, driver="GTiff", **options)
    made.replace(path)
    return ", ".join(f"{key}={value}" for key, value in options.items())


def odd_values(path: Path, draw: Random, _: Outside) -> str:
    """Any numbers that the type can hold; the file is as whole as before."""
    with rasterio.open(path, "r+") as file:
        band = draw.randint(1, file.count)
        stored = file.read(band)
        noise = np.frombuffer(draw.randbytes(stored.nbytes), stored.dtype).reshape(stored.shape)
        file.write(noise, band)
    return f"noise in band {band}"


def sidecar_metadata(path: Path, draw: Random, _: Outside) -> str:
    """A file beside the raster that scales, hides or moves it."""
    bands = "".join(
        f'<PAMRasterBand band="{band}"><Description>Rrs_{nm}</Description>'
        "<NoDataValue>0.00175</NoDataValue><Offset>1</Offset><Scale>3</Scale></PAMRasterBand>"
        for band, nm in ((1, 443), (2, 560))
    )
    place = "<SRS>EPSG:4326</SRS><GeoTransform>100, 1, 0, 10, 0, -1</GeoTransform>"
    text = f"<PAMDataset>{place if draw.random() < 0.7 else ''}{bands}</PAMDataset>"
    Path(f"{path}.aux.xml").write_text(text)
    return "an .aux.xml beside it"


def sidecar_overview(path: Path, draw: Random, outside: Outside) -> str:
    """Another raster as its overviews or mask."""
    suffix = draw.choice((".ovr", ".msk"))
    Path(f"{path}{suffix}").write_bytes(outside.tiff(path).read_bytes())
    return f"an {suffix} beside it"


def sidecar_world(path: Path, draw: Random, _: Outside) -> str:
    """A world file, coefficients or a projection beside a raster that does not say where it is."""
    with warnings.catch_warnings(action="ignore"), rasterio.open(path, "r+") as file:
        file.transform = Affine.identity()
    beside = draw.choice((".tfw", ".wld", ".tifw", ".prj", ".tab", "_RPC.TXT", ".RPB", ".hdr"))
    path.with_name(path.stem + beside).write_text("0.1\n0\n0\n-0.1\n100\n10\n")
    return f"a {beside} beside it"


def virtual_raster(path: Path, draw: Random, outside: Outside) -> str:
    """A text that names another raster, in this file's place or behind a TIFF's first bytes."""
    canary = outside.tiff(path)
    source = draw.choice(
        (
            str(canary),
            f"/vsicurl/{outside.address}/a.tif",
            f"/vsisubfile/0_4000,{canary}",
            f"{outside.address}/a.tif",
        )
    )
    text = (
        f'<VRTDataset rasterXSize="26" rasterYSize="21"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>139,0.01,0,35,0,-0.01</GeoTransform>"
        f'<VRTRasterBand dataType="Float32" band="1"><Description>Rrs_443</Description>'
        f"<SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand>"
        f"</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    start = draw.choice((b"", b"", b"II*\0\x08\0\0\0", b"MM\0*"))
    path.write_bytes(start + text.encode())
    return f"a VRT of {source}, after {start!r}"

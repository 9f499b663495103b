"""Opens GeoTIFF files with GDAL, in such a way that GDAL reads only the file itself."""

from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files.regular import check_regular, memory_in_words

# Only the TIFF driver of GDAL: files of other formats may refer to other files.
_ONLY_THE_FILE: dict[str, Any] = {"driver": "GTiff", "GEOREF_SOURCES": "INTERNAL"}


def nothing_beside() -> Any:
    """Return a context in which GDAL ignores all files other than the one that it reads.

    Otherwise GDAL takes scale, position and overviews from ``.aux.xml``, ``.tfw``, ``.ovr`` and
    other files, whose hashes a product does not record.
    """
    import rasterio

    return rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO")


def open_raster(path: Path, error: type[PipelineError]) -> Any:
    """Open a regular TIFF file with rasterio; no pixels are read.

    Args:
        path: the file.
        error: the class of error to raise if the path is not a regular file.
    """
    import rasterio

    check_regular(path, error)
    with memory_in_words(path.name, error):
        # GDAL takes a relative name such as GTIFF_DIR:1:other.tif for an instruction.
        return rasterio.open(path.absolute(), **_ONLY_THE_FILE)


def open_lazy_raster(path: Path, error: type[PipelineError]) -> Any:
    """Open a regular TIFF file as a lazy, undecoded DataArray; errors are as for open_raster."""
    import rioxarray

    check_regular(path, error)
    with memory_in_words(path.name, error):
        options = {"cache": False, "mask_and_scale": False, **_ONLY_THE_FILE}
        return rioxarray.open_rasterio(path.absolute(), **options)

"""Products -> files: one format per file."""

from pipeline.writers.chunks import FILL, ChunkEncoder, StoredChunk, as_stored, encode_all
from pipeline.writers.netcdf import (
    Layout,
    default_chunk,
    encoders_of,
    fill_of,
    storable,
    write_product,
)

__all__ = [
    "FILL",
    "ChunkEncoder",
    "Layout",
    "StoredChunk",
    "as_stored",
    "default_chunk",
    "encode_all",
    "encoders_of",
    "fill_of",
    "storable",
    "write_product",
]

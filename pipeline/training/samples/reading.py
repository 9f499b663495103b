"""Read the tables of samples, with the columns of the tables that are joined to them."""

from pathlib import Path

from pipeline.config import SamplesConfig
from pipeline.config.samples import FileConfig
from pipeline.errors import ConfigError
from pipeline.tables import Table, read_table
from pipeline.tables.beside import with_columns_of
from pipeline.training.samples.columns import Findings


def read_file(file: FileConfig, config: SamplesConfig, findings: Findings) -> Table | None:
    """Return the table of a file with the columns of its joined tables; None after a complaint."""
    try:
        table = read_samples(file.path, config)
        for one in file.join:
            other = read_samples(file.path.parent / one.path, config)
            table = with_columns_of(table, other, one.key, one.prefix)
    except ConfigError as error:
        findings.complain(error)
        return None
    findings.notes += [f"{table.name}: {text}" for text in table.told]
    return table


def read_samples(path: Path, config: SamplesConfig) -> Table:
    """Return the table in a file, read with the settings for all files.

    Raises:
        ConfigError: the file does not exist or cannot be read.
    """
    return read_table(
        path,
        config.format,
        missing=config.missing,
        delimiter=config.delimiter,
        sample_dimension=config.sample_dimension,
    )

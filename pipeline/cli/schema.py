"""The command ``ocpipe schema``: JSON schemas of YAML files, for editors."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.columns import in_columns
from pipeline.cli.options import PATH, log_level_option, option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError


class KindOfFile(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """The name of a kind of YAML file; the table of kinds is imported only if a name is given."""

    name = "kind"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the name, if it is known."""
        from pipeline.yaml_files.kinds import KINDS

        if value not in KINDS:
            self.fail(f"{value!r} is not a kind of file: {', '.join(KINDS)}", param, ctx)
        return value


KIND = KindOfFile()
kind_option = option(
    "--kind",
    "Kind of the file: run, training, finetune, matchup, network ... (ocpipe schema lists all).",
    "recognised by its keys",
    KIND,
    metavar="KIND",
)


@click.command()
@click.argument("kind", type=KIND, required=False)
@option("-o --output", "File of the schema.", "print it", PATH)
@option("--all", "Folder for the schemas of all kinds.", "none", PATH, metavar="DIR")
@log_level_option
def schema(kind: str | None, output: Path | None, log_level: str, **folder: Path | None) -> None:
    """Print the JSON schema of a KIND of YAML file; without KIND, list the kinds.

    Editors with support for YAML use a schema to check and complete keys, and to show what a key
    means. The first line of a file names its schema: # yaml-language-server: $schema=PATH.
    """
    start(log_level)
    with importing():
        from pipeline.files.replacing import replace_file
        from pipeline.yaml_files.json_schema import schema_path, schema_text
        from pipeline.yaml_files.kinds import KINDS

    with exit_on_error(ConfigError):
        if folder["all"] is not None:
            for name in KINDS:
                show(replace_file(folder["all"] / f"{name}.json", schema_text(name).encode()))
        elif kind is None:
            if output is not None:
                raise ConfigError(
                    "--output: expected a KIND, found none. State the kind of the schema."
                )
            rows = [("kind", "the file is a", "used by", "schema")]
            rows += [(k.name, k.words, k.used_by, str(schema_path(k.name))) for k in KINDS.values()]
            show(*in_columns(rows))
        elif output is not None:
            show(replace_file(output, schema_text(kind).encode()))
        else:
            show(*schema_text(kind).splitlines())

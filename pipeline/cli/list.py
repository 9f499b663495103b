"""The command ``ocpipe list``: lists sensors, formats, networks and more, by topic."""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.cli.columns import as_cell, in_columns
from pipeline.cli.options import log_level_option, networks_option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError
from pipeline.files.names import as_texts

NAMES = (
    "sensors", "formats", "masks", "configs", "matchups", "recipes", "algorithms", "networks",
)  # fmt: skip


@click.command("list")
@click.argument("topic", type=click.Choice(NAMES), required=False)
@networks_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all facts.")
@log_level_option
def list_(topic: str | None, networks: tuple[Path, ...], as_json: bool, log_level: str) -> None:
    """List the known sensors, formats, masks, configurations, algorithms or networks.

    Without a topic, the topics are listed. Networks are listed if they are in a folder of
    --networks or OCPIPE_NETWORKS.
    """
    start(log_level)
    with importing():
        from pipeline.inspection.listing import TOPICS

    with exit_on_error(ConfigError):
        if topic is None:
            rows: list[dict[str, Any]] = [
                {"name": name, "what": each.words} for name, each in TOPICS.items()
            ]
            shown: tuple[str, ...] = ("what",)
        else:
            rows, shown = list(TOPICS[topic].rows(networks)), TOPICS[topic].shown
    if as_json:
        show(*json.dumps(as_texts(rows), indent=1).splitlines())
        return
    if topic == "networks" and not rows:
        show("no network found; give a folder with --networks, or set OCPIPE_NETWORKS")
        return
    heads = ("name", *shown)
    show(*in_columns([heads, *([as_cell(row.get(key)) for key in heads] for row in rows)]))

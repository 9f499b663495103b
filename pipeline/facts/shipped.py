"""Reads the shipped configuration, which is in the package, or beside it in a source checkout."""

from pathlib import Path
from typing import Any

import yaml


def shipped_configs() -> Path:
    """Return the folder ``configs`` of this installation."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent / "configs"


def read_shipped(path: Path) -> dict[str, Any]:
    """Return the content of a shipped YAML file; use libyaml if possible, because it is fast."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506
    return table

"""Where the shipped configuration lies: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path


def shipped_configs() -> Path:
    """The folder ``configs`` of this installation."""
    package = Path(__file__).resolve().parent
    packaged = package / "configs"
    return packaged if packaged.is_dir() else package.parent / "configs"

"""Finds the input and the networks of a product, by the names and hashes in its record."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.algorithms import find_retrieval, is_algorithm
from pipeline.config import NetworkChoice, RunConfig
from pipeline.errors import NetworkError, PipelineError
from pipeline.files.access import why_unreadable
from pipeline.files.contents import sha256_of
from pipeline.files.names import as_text
from pipeline.networks import Retrieval, load_retrieval
from pipeline.networks.reading.library import network_folders
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import base_name, shown_hash
from pipeline.verify.finding import Finding
from pipeline.writers.group import Group


def find_input(
    product: ProductFile, scenes: Sequence[Path], known: Sequence[Path] = ()
) -> Generator[Finding, None, Path | None]:
    """Yield the finding about the input; return the path of the input if its hash is right.

    ``known`` are paths that the input had, and that are tried after the others.
    """
    name, expected = base_name(product.scene["file"]), str(product.scene["sha256"])
    if name is None:
        yield Finding("input", False, "the product records no name of a file for its input")
        return None
    places = [*scenes, product.path.parent, Path()]
    candidates = [c for place in places for c in (place, place / name) if as_text(c.name) == name]
    candidates += [path for path in known if as_text(path.name) == name]
    # A named pipe or a device exists too, but reading it may never end.
    existing = [c for c in dict.fromkeys(candidates) if c.is_file() or c.is_dir()]
    hashes, unreadable = dict[Path, str](), dict[Path, str]()
    for candidate in existing:
        try:
            hashes[candidate] = sha256_of(candidate)
        except (OSError, PipelineError) as error:
            unreadable[candidate] = why_unreadable(error) or str(error)
    source = next((c for c, found in hashes.items() if found == expected), None)
    problem = ""
    if source is None and unreadable:
        path, reason = next(iter(unreadable.items()))
        yield Finding.not_checked("input", f"'{path}' cannot be read: {reason}")
        return None
    if not existing:
        tried = f" and at {_quoted(known)} (from the ledger)" if known else ""
        text = f"{name} not found in {_quoted(places)}{tried}. Give its path with --scene."
        yield Finding.not_checked("input", text)
        return None
    if source is None:
        problem = (
            f"{name} is not the file the product was made from: found the sha256 "
            f"{', '.join(hashes.values())}, but the product records {shown_hash(expected)}"
        )
    yield Finding.of("input", problem, f"{name}, sha256 equal")
    return source


def find_networks(
    product: ProductFile, config: RunConfig, network_dirs: Sequence[Path], source: Path | None
) -> Generator[Finding, None, dict[str, Retrieval] | None]:
    """Yield findings about networks; return the networks if they made the product."""
    choices = {choice.name: choice for choice in config.science.networks}
    beside = [product.path.parent, *([source.parent] if source else []), Path()]
    folders = [*network_folders(tuple(network_dirs)), *beside]
    found: dict[str, Retrieval] = {}
    complete = True
    for name, group in product.networks.items():
        if is_algorithm(choices[name].file):
            finding = _algorithm(choices[name], config.science.sensor or "", group)
        else:
            finding, network = _network(name, group.attributes, folders)
            found |= {name: network} if network is not None else {}
        complete &= finding.passed
        yield finding
    return found if complete else None


def _network(
    name: str, recorded: Mapping[str, Any], folders: Sequence[Path]
) -> tuple[Finding, Retrieval | None]:
    """Search for a network file; return the network if the product was made with this file."""
    file, expected = base_name(recorded["file"]), str(recorded["sha256"])
    if file is None:
        return Finding("network", False, f"{name}: the product records no name of a file"), None
    hashes, problem = list[str](), ""
    right: Retrieval | None = None
    for path in dict.fromkeys(folder / file for folder in folders):
        if not path.is_file():
            continue
        try:
            network = load_retrieval(path)
        except NetworkError:
            # Its text may quote the file, and the product chose the name of the file.
            problem = f"{path} cannot be read as a network (ocpipe inspect says why)"
            continue
        hashes.append(network.sha256)
        if network.sha256 == expected:
            right, problem = network, ""
            if network.fingerprint != recorded["fingerprint"]:
                problem = f"the description in {file} differs from the description in the product"
            break
    if not problem and right is None:
        if not hashes:
            text = f"{name}: {file} not found in {_quoted(folders)}. Give its folder with "
            return Finding.not_checked("network", f"{text}--networks."), None
        problem = (
            f"{file} is not the file the product was made with: found the sha256 "
            f"{', '.join(dict.fromkeys(hashes))}, but the product records {shown_hash(expected)}"
        )
    found = Finding.of("network", problem and f"{name}: {problem}", f"{name}: {file}, sha256 equal")
    return found, None if problem else right


def _algorithm(choice: NetworkChoice, sensor: str, recorded: Group) -> Finding:
    """Compare the bands and coefficients of a published algorithm with the recorded values."""
    try:
        _, found = find_retrieval(choice.file, sensor, (), choice.to_nm)
    except PipelineError as error:
        return Finding("algorithm", False, f"{choice.name}: {error}")
    text, problem = f"{choice.name}: {found.file_name}", ""
    if found.fingerprint != recorded.attributes["fingerprint"]:
        problem = f"{text} does not have the bands and coefficients that are in the product"
    return Finding.of("algorithm", problem, f"{text}, coefficients equal")


def _quoted(places: Sequence[Path]) -> str:
    return ", ".join(f"'{place}'" for place in places)

"""A new version, configuration or network: what is done again, and what is not."""

import json
from collections import Counter
from dataclasses import replace

import h5py
import pytest
from batches import copies, products, run, scenes_by_name, states, write_config
from old_products import unpacked_batch
from small_network import write_network

from pipeline.batch import recipe as recipes
from pipeline.batch.child import do
from pipeline.batch.job import Job, why_of_another_version
from pipeline.batch.ledger.whole_products import why_not_whole
from pipeline.batch.reasons import CONFIGURATION, CUT, MISSING, NETWORK, NUMBERS, VERSION
from pipeline.batch.recipe import Recipe
from pipeline.batch.request import BatchRequest
from pipeline.batch.runner import plan_batch
from pipeline.config import load_config
from pipeline.product.wholeness import is_unchanged
from pipeline.version import __version__


def batch(folder, *more, **changes):
    return run("batch", folder / "old.yaml", folder / "in", "-o", folder / "out", "--networks",
               folder, "--executor", "inline", *more, **changes)  # fmt: skip


@pytest.fixture
def old(tmp_path):
    """The batch that version 0.2.0 left when it was killed; its files do not count as new."""
    folder = unpacked_batch(tmp_path)
    with (folder / "old.yaml").open("a") as file:
        file.write("batch: {settle: 0}\n")
    return folder


def test_a_ledger_of_0_2_0_goes_on(old):
    """Nothing is lost, nothing is done twice, and the products that were done stay as they are."""
    before = products(old / "out")
    assert sorted(before) == ["S0.old.nc", "S2.old.nc"]
    left = batch(old)
    assert left.code == 1, left.stderr  # one scene is damaged, then as now
    assert "4 scenes to process (2 done before" in left.stderr
    assert "2 scenes were made by another version that computes the same numbers" in left.stderr
    after = products(old / "out")
    assert sorted(after) == [f"S{number}.old.nc" for number in (0, 2, 3, 4, 5)]
    assert {name: after[name] for name in before} == before
    assert states(old / "out") == {"done": 5, "failed": 1}
    lines = [json.loads(line) for line in (old / "out/quality.jsonl").read_text().splitlines()]
    assert Counter(line["scene"] for line in lines) == dict.fromkeys(
        [f"S{number}.nc" for number in (0, 2, 3, 4, 5)], 1
    )
    again = batch(old)
    assert "0 done, 0 skipped, 0 failed" in again.stderr
    assert products(old / "out") == after


def test_the_ledger_says_the_version_of_each_product(old):
    """With the version of its numbers; a scene that was not done has those of now."""
    batch(old)
    rows = scenes_by_name(old / "out")
    assert rows["S4.nc"]["recipe"].endswith(f" numbers=1 version={__version__}")
    assert len(rows["S0.nc"]["recipe"]) == 64  # as 0.2.0 wrote it
    with h5py.File(old / "out/S4.old.nc") as file:
        assert file["processing_control"].attrs["numbers_version"] == 1


def plan(folder, reprocess="changed", **science):
    """State and reason of each scene, by name."""
    config = load_config(str(folder / "old.yaml")).executing(
        output=folder / "out", network_dirs=[folder]
    )
    if science:
        data = config.model_dump()
        data["science"] |= science
        config = load_config(data)
    config = config.batching(reprocess=reprocess)
    found = plan_batch(BatchRequest(config, (str(folder / "in"),)))
    return {e.path.rpartition("/")[2]: e.why if e.state == "pending" else e.state for e in found}


def test_what_a_new_version_does(old, monkeypatch):
    """Failures are tried again; finished scenes only if numbers may differ, or all are wanted."""
    assert plan(old)["S0.nc"] == "done"
    assert plan(old)["S1.nc"] == VERSION  # the version may read what the last could not
    assert plan(old)["S4.nc"] == "new"
    assert plan(old, "all")["S0.nc"] == VERSION
    assert plan(old, "new-only")["S0.nc"] == "done"
    of = Recipe.of
    monkeypatch.setattr(recipes.Recipe, "of", lambda config: replace(of(config), numbers=2))
    assert plan(old)["S0.nc"] == NUMBERS
    assert plan(old, "ask-first")["S0.nc"] == NUMBERS
    assert plan(old, "new-only")["S0.nc"] == "done"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _: {"output": {"chunk": [6, 6]}}, CONFIGURATION),
        (lambda folder: write_network(folder / "net.h5", seed=3) and {}, NETWORK),
    ],
)
def test_what_a_change_does(old, change, why):
    """As the configuration says; new scenes are processed in any case."""
    science = change(old)
    assert plan(old, **science)["S0.nc"] == why
    assert plan(old, "all", **science)["S0.nc"] == why
    assert plan(old, "ask-first", **science)["S0.nc"] == why
    kept = plan(old, "new-only", **science)
    assert kept["S0.nc"] == kept["S2.nc"] == "done"
    assert kept["S4.nc"] != "done"


def of_last_call(old):
    """What the summary says of the last call."""
    summary = json.loads((old / "out" / "summary.json").read_text())
    return summary["configurations"]["old"]["last_call"]


def test_without_a_terminal_nobody_is_asked(old):
    """New scenes are processed, outdated ones stay, and a warning says what to decide."""
    config = (old / "old.yaml").read_text()
    (old / "old.yaml").write_text(config.replace("[8, 8]", "[6, 6]"))
    before = products(old / "out")
    left = batch(old, "--reprocess", "ask-first")
    assert "2 scenes are outdated (the configuration changed) and nobody could be asked" in (
        left.stderr
    )
    assert {name: products(old / "out")[name] for name in before} == before
    assert states(old / "out") == {"done": 5, "failed": 1}
    assert of_last_call(old)["kept_outdated"] == {CONFIGURATION: 2}
    left = batch(old)
    assert "2 scenes must be processed again: the configuration changed" in left.stderr
    assert of_last_call(old)["processed_again"] == {CONFIGURATION: 2}
    assert of_last_call(old)["kept_outdated"] == {}
    assert products(old / "out")["S0.old.nc"] != before["S0.old.nc"]


@pytest.mark.parametrize("answer", [True, False])
def test_an_answer_decides(old, answer, monkeypatch):
    """The question has the number and the reason."""
    from pipeline.batch import outdated
    from pipeline.batch.ledger import Ledger
    from pipeline.batch.runner import _found, _queue

    asked = []
    config = load_config(str(old / "old.yaml")).executing(output=old / "out", network_dirs=[old])
    config = config.batching(reprocess="ask-first").with_chunk((6, 6))
    request = BatchRequest(
        config, (str(old / "in"),), ask=lambda text: asked.append(text) or answer
    )
    with Ledger.open(request.ledger_path, request.output) as ledger:
        queue = _queue(request, _found(request, request.inputs).scenes)
        ledger.enqueue(outdated.decided(queue, request, ledger))
        again = ledger.processed_again()
        kept = ledger.kept_outdated()
    question = "2 scenes are outdated (the configuration changed). Process again, and replace"
    assert asked == [f"{question} the products?"]
    assert kept == ({} if answer else {CONFIGURATION: 2})
    assert again[CONFIGURATION] == (5 if answer else 3)  # three were not done


def test_a_kept_product_does_not_become_up_to_date_by_a_touch(old):
    """Its input has a new time but the same bytes; it is made with the new configuration then."""
    config = (old / "old.yaml").read_text()
    (old / "old.yaml").write_text(config.replace("[8, 8]", "[6, 6]"))
    before = products(old / "out")
    (old / "in/S0.nc").touch()
    batch(old, "--reprocess", "new-only")
    after = products(old / "out")
    assert after["S0.old.nc"] != before["S0.old.nc"]
    assert after["S2.old.nc"] == before["S2.old.nc"]
    assert plan(old)["S2.nc"] == CONFIGURATION
    assert plan(old)["S0.nc"] == "done"


def test_a_touched_input_of_another_version_keeps_its_product(old):
    """Its numbers are the same, and so is what the ledger says about its version."""
    before = products(old / "out")
    (old / "in/S0.nc").touch()
    left = batch(old)
    assert "S0.nc: the input has the same bytes as before; the product was kept" in left.stderr
    assert products(old / "out")["S0.old.nc"] == before["S0.old.nc"]
    assert len(scenes_by_name(old / "out")["S0.nc"]["recipe"]) == 64
    assert plan(old, "all")["S0.nc"] == VERSION


def test_a_key_that_was_added_later_changes_no_recipe(tmp_path, monkeypatch):
    """While it has the value that changes nothing; also in each network."""
    config = load_config(str(write_config(tmp_path)))
    before = Recipe.of(config)
    record = config.science_record
    later = {"value": None}

    def with_later():
        found = record()
        found["science"]["later"] = {"option": later["value"], "other": 1}
        found["science"]["networks"][0]["more"] = later["value"]
        return found

    monkeypatch.setattr(type(config), "science_record", lambda _: with_later())
    assert Recipe.of(config).configuration != before.configuration
    keys = (("later.option", None), ("networks.*.more", None), ("later.other", 1), ("later", {}))
    monkeypatch.setattr(recipes, "LATER_KEYS", keys)
    assert Recipe.of(config) == before
    later["value"] = 2
    assert Recipe.of(config).configuration != before.configuration


# Products that are not whole


@pytest.mark.parametrize("size", [0, 7, 63, 1000, -1])
def test_a_product_that_was_cut_is_not_done(old, size):
    """To nothing, in its first bytes, or by its last byte; also one of 0.2.0."""
    product = old / "out/S0.old.nc"
    whole = product.read_bytes()
    assert why_not_whole(str(product)) is None
    product.write_bytes(whole[:size])
    assert plan(old)["S0.nc"] == CUT
    assert not is_unchanged(product)


def test_other_ways_to_lose_a_product(old):
    """It is gone, or something else is in its place."""
    product = old / "out/S0.old.nc"
    size = product.stat().st_size
    product.write_bytes(bytes(size))
    assert plan(old)["S0.nc"] == CUT
    product.unlink()
    assert plan(old)["S0.nc"] == MISSING
    product.mkdir()
    assert plan(old)["S0.nc"] == CUT


def test_deep_compares_the_numbers(old):
    """A changed number is found only so; nothing else is done again."""
    batch(old)
    before = products(old / "out")
    with h5py.File(old / "out/S4.old.nc", "r+") as file:
        values = file["aph_443"][...]
        values[values > 0] *= 1.5
        file["aph_443"][...] = values
    assert "0 done" in batch(old).stderr
    left = batch(old, "--deep")
    assert "S4.old.nc: the product was changed or is damaged" in left.stderr
    assert "1 done, 0 skipped, 0 failed" in left.stderr
    assert products(old / "out") == before


# Processes of another version


def test_a_job_of_another_version_is_not_done():
    """Versions that did not say their version are others."""
    assert why_of_another_version({"version": __version__}) == ""
    assert "the batch is one of version 9.9.9" in why_of_another_version({"version": "9.9.9"})
    assert "0.2.0 or earlier" in why_of_another_version({})


def test_a_batch_whose_program_is_replaced_ends(tmp_path, monkeypatch):
    """No scene fails, and the next call goes on."""
    from pipeline.batch.supervisor import Supervisor

    (scene,) = copies(tmp_path / "in", 1)
    supervisor = Supervisor()
    try:
        outcome = supervisor.run(Job(str(scene), {}, "a_1_1", 0, version="0.2.5"))
    finally:
        supervisor.close()
    assert outcome.kind == "machine"
    assert "one of version 0.2.5" in outcome.reason
    assert f"version {__version__}" in outcome.reason
    assert do(Job(str(scene), {}, "a_1_1", 0), lambda _: None).kind != "machine"

"""A scene that is replaced while it is read: products name the bytes that they were made from."""

import itertools
import os
import shutil

import pytest
from batches import quality_lines, scenes_by_name
from races import MOMENTS, WAYS, Bench, Trial, at, settled

import pipeline
from pipeline.batch.ledger.ledger import MOST_CHANGES
from pipeline.config import load_config
from pipeline.errors import ChangedError

READ = ("pipeline.process", "compute_block", "before")
# Every second moment, by renaming and in place in turn; python -m races tries all of them.
CASES = list(zip(MOMENTS[::2], itertools.cycle(WAYS)))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench.of(tmp_path_factory.mktemp("races"))


@pytest.mark.parametrize(("moment", "way"), CASES, ids=lambda given: "-".join(given)[9:])
def test_a_replaced_scene_is_never_taken_for_another(bench, tmp_path, moment, way):
    """At every moment: the product is true, and the next call makes it right."""
    assert settled(Trial(bench, tmp_path / "trial", bench.first), moment, way) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_scene_that_changes_for_ever_is_left_for_the_next_call(bench, tmp_path, way):
    """It is tried a few times, is not failed, and no attempt is used up."""
    trial = Trial(bench, tmp_path / "trial", bench.first)
    with at(READ, lambda: trial.replace(way), times=100):
        summary = trial.batch()
    assert (trial.count, summary.changed, summary.failed) == (MOST_CHANGES, 1, 0)
    (row,) = scenes_by_name(trial.output).values()
    assert (row["state"], row["attempts"], row["kind"]) == ("pending", 0, None)
    assert row["why"] == "the input changed while it was read"
    assert not trial.product.exists()
    trial.batch()
    assert trial.is_right()


def test_a_scene_that_changes_waits_until_the_others_are_done(bench, tmp_path):
    """Other scenes are neither late nor lost."""
    trial = Trial(bench, tmp_path / "trial", bench.first)
    for number in (1, 2):
        shutil.copyfile(bench.second, trial.scene.with_name(f"S00{number}.nc"))
    trial.inputs = (str(trial.folder),)
    order = []
    moment = ("pipeline.batch.ledger", "Ledger.settle", "before")
    with at(READ, lambda: trial.replace("rename")), at(moment, lambda *_: order.append(1), 10):
        summary = trial.batch()
    assert (summary.done, summary.changed, len(order)) == (3, 0, 4)
    assert len(quality_lines(trial.output)) == 3
    assert trial.is_right()


def test_a_scene_that_only_looked_damaged_is_pending(bench, tmp_path):
    """It was cut short while it was read, and is whole again, with its size and its time."""
    trial = Trial(bench, tmp_path / "trial", bench.first)
    before = trial.scene.stat()

    def cut_short():
        os.truncate(trial.scene, 5000)

    def mend():
        with trial.scene.open("r+b") as file:
            file.write(bench.first.read_bytes())
        os.utime(trial.scene, ns=(before.st_atime_ns, before.st_mtime_ns))

    with (
        at(("pipeline.readers", "describe_content", "after"), cut_short),
        at(("pipeline.batch.loop", "Loop._settle", "before"), mend),
    ):
        summary = trial.batch()
    assert (summary.done, summary.failed) == (1, 0)
    assert trial.is_right()


def test_a_single_run_ends_with_an_error_in_words(bench, tmp_path):
    """No product is left, and the next run is right."""
    trial = Trial(bench, tmp_path / "trial", bench.first)
    settings = load_config(bench.config).executing(output=trial.output)
    with (
        pytest.raises(ChangedError, match=r"S000\.nc was replaced or changed while it was read"),
        at(("pipeline.process", "open_scene", "after"), lambda: trial.replace("rename")),
    ):
        pipeline.process_scene(trial.scene, settings)
    assert not trial.product.exists()


def test_the_bytes_that_are_the_same_are_those_of_now(bench, tmp_path):
    """A scene is touched, and is replaced while it is compared with the hash of its product."""
    trial = Trial(bench, tmp_path / "trial", bench.first)
    trial.batch()
    os.utime(trial.scene, ns=(2 * 10**18, 2 * 10**18))
    moment = ("pipeline.files.identity", "HeldSource.sha256", "after")
    with at(moment, lambda: trial.replace("in place")):
        trial.batch()
    assert trial.count == 1
    assert trial.is_right()


def test_the_ledger_names_the_state_that_was_hashed(bench, tmp_path):
    """A scene is replaced after it was queued; later the first scene comes back with its time."""
    trial = Trial(bench, tmp_path / "trial", bench.first)

    def replace():
        trial.replace("rename")
        os.utime(trial.scene, ns=(2 * 10**18, 2 * 10**18))

    with at(("pipeline.batch.loop", "Loop._claim", "before"), replace):
        trial.batch()
    assert trial.is_right()
    trial.replace("rename")
    os.utime(trial.scene, ns=(10**18, 10**18))
    trial.batch()
    assert trial.is_right()

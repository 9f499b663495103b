"""A limit of memory decides how a run works, never what it writes; what cannot fit is refused."""

import numpy as np
import pytest
from obpg_miniature import counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import run_settings

import pipeline
from pipeline.config import load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.machine.resources import default_limit, in_words
from pipeline.process import plan_scene
from pipeline.run.memory import PIXELS_AT_ONCE, Work, choose_work
from pipeline.run.plan_text import plan_lines


@pytest.fixture
def scene(tmp_path):
    counts = {nm: counts_of(0.004 + 1e-6 * np.arange(300 * 200).reshape(300, 200)) for nm in BANDS}
    return write_obpg_l2(tmp_path / "s.nc", counts, chunk=(50, 200))


def settings(folder, limit, **others):
    made = run_settings(folder, write_network(folder / "n.h5"), chunk=(64, 100), **others)
    made["execution"]["memory_limit"] = limit
    return load_config(made)


def test_more_threads_come_before_more_pixels():
    """As many threads as fit, then as many pixels; nothing where nothing fits."""

    def estimate(threads, pixels):
        return 10 + threads * (5 + pixels // 4096)

    assert choose_work(estimate, 2, 10 + 2 * 69) == Work(2, 262144, 148)
    assert choose_work(estimate, 2, 10 + 2 * 21) == Work(2, 65536, 52)
    assert choose_work(estimate, 2, 21) == Work(1, 16384, 19)
    assert choose_work(estimate, 2, 15) is None


def test_products_of_two_limits_are_equal_by_their_bytes(scene, tmp_path, monkeypatch):
    """With other threads and other pixels at once."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    products, works = [], []
    for limit in ("80MB", "2GB"):
        folder = tmp_path / limit
        folder.mkdir()
        config = settings(folder, limit, threads=2, engine="onnxruntime")
        works.append(plan_scene(scene, config).work)
        products.append(pipeline.process_scene(scene, config).read_bytes())
    assert works[0] != works[1]
    assert products[0] == products[1]


def test_what_cannot_fit_is_refused_with_both_numbers(scene, tmp_path):
    """And with what needs the memory and what would help; nothing is begun."""
    config = settings(tmp_path, "20MB")
    with pytest.raises(SceneError, match="needs at least") as refused:
        pipeline.process_scene(scene, config)
    text = str(refused.value)
    assert "the limit is 20 MB" in text
    assert "--memory-limit" in text
    needed = int(text.split("at least ")[1].split(" MB", maxsplit=1)[0])
    assert not (tmp_path / "out").exists()
    enough = settings(tmp_path, f"{needed + 1}MB")
    assert plan_scene(scene, enough).work.threads == 1
    with pytest.raises(SceneError, match="needs at least"):
        plan_scene(scene, settings(tmp_path, f"{needed - 1}MB"))


def test_chunks_as_wide_as_the_scene_are_named(tmp_path):
    """Where the input is what does not fit, the message says so."""
    counts = {nm: counts_of(np.full((512, 12000), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts, chunk=(512, 12000))
    with pytest.raises(SceneError, match="Storage chunks of 512 lines x 12000 pixels"):
        plan_scene(scene, settings(tmp_path, "90MB"))


def test_the_plan_prints_its_estimate(scene, tmp_path):
    """Blocks, how many at a time, and the memory that they come to."""
    plan = plan_scene(scene, settings(tmp_path, "1GB", threads=2))
    text = "\n".join(plan_lines(plan))
    assert "10 blocks of 64 x 100, 2 at a time, 262144 pixels at once in each" in text
    assert f"at most {in_words(plan.work.peak_bytes)} (limit 1.0 GB)" in text


@pytest.mark.parametrize("limit", ["lots", "-1GB", 0])
def test_a_limit_that_is_none(tmp_path, limit):
    """Not a size, or nothing."""
    with pytest.raises(ConfigError, match="memory_limit"):
        settings(tmp_path, limit)


def test_without_a_limit_there_is_one_that_suits_the_machine():
    """Half of what is left, and never too little for a small scene."""
    assert default_limit() >= 256_000_000
    assert sorted(PIXELS_AT_ONCE, reverse=True) == list(PIXELS_AT_ONCE)

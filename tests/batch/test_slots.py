"""How many scenes at once, for the cores and the memory there are."""

import pytest

from pipeline.batch.slots import PROGRAM, PROGRAM_OTHERWISE, Slots, choose_slots

pytestmark = pytest.mark.quick

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("cores", "memory", "scene", "given", "expected"),
    [
        (2, 8 * GB, None, {}, (2, 1)),
        (16, 64 * GB, 300_000_000, {}, (16, 1)),
        # Memory for eight only: each gets two threads.
        (16, 8 * (PROGRAM_OTHERWISE + GB), GB, {}, (8, 2)),
        (16, GB, 5 * GB, {}, (1, 16)),
        (8, 64 * GB, None, {"workers": 3}, (3, 2)),
        (8, 64 * GB, None, {"threads": 4}, (2, 4)),
        (2, 64 * GB, None, {"threads": 4}, (1, 4)),
        (4, 64 * GB, None, {"workers": 8, "threads": 1}, (8, 1)),
        (1, GB // 10, None, {}, (1, 1)),
    ],
)
def test_scenes_at_once_and_threads(cores, memory, scene, given, expected):
    """As many scenes as memory allows, and the cores that are left as threads."""
    slots = choose_slots(cores, memory, "onnxruntime", scene, **given)
    assert (slots.count, slots.threads) == expected


def test_memory_is_shared_and_the_program_counts():
    """What a scene may use is beside the program itself, which TensorFlow makes larger."""
    small, large = (choose_slots(4, 8 * GB, e, None, 4) for e in ("numpy", "tensorflow"))
    assert small.memory_limit == 2 * GB - PROGRAM_OTHERWISE
    assert large.memory_limit == 2 * GB - PROGRAM["tensorflow"]
    assert (small.program_bytes, large.program_bytes) == (PROGRAM_OTHERWISE, GB)


def test_in_words():
    """As the batch says it at its begin."""
    assert str(Slots(2, 1, 800_000_000, 1)) == "2 scenes at a time, 1 thread and 800 MB each"
    assert str(Slots(1, 4, 1_500_000_000, 1)) == "1 scene at a time, 4 threads and 1.5 GB each"

"""Chooses how many scenes run at the same time; this depends on the cores and the memory."""

from dataclasses import dataclass

from pipeline.machine.resources import in_words

# Memory of a process before its first scene, by engine (bytes).
PROGRAM = {"tensorflow": 1_000_000_000}
PROGRAM_OTHERWISE = 350_000_000
# Assumed memory of a scene without an estimate (bytes, without the program).
USUAL_SCENE = 250_000_000
# Least memory for a scene of usual size (bytes, without the program).
LEAST_SCENE = 120_000_000


@dataclass(frozen=True)
class Slots:
    """Number of scenes that run at the same time, and the resources of each scene."""

    count: int
    threads: int
    """Threads per scene."""
    memory_limit: int
    """Memory per scene in bytes; the memory of the program itself is not included."""
    program_bytes: int
    """Memory in bytes that the program and its engine take without any scene."""

    def __str__(self) -> str:
        """Return a text such as ``2 scenes at a time, 1 thread and 800 MB each``."""
        return f"{self.in_words(self.count)} and {in_words(self.memory_limit)} each"

    def in_words(self, count: int) -> str:
        """Return a text such as ``2 scenes at a time, 1 thread`` for this number of scenes."""
        scenes = "1 scene" if count == 1 else f"{count} scenes"
        return f"{scenes} at a time, {self.threads} thread{'s' * (self.threads != 1)}"


def choose_slots(
    cores: int,
    memory: int,
    engine: str,
    scene_bytes: int | None,
    workers: int | None = None,
    threads: int | None = None,
) -> Slots:
    """Choose as many scenes as cores and memory allow. One thread per scene is most efficient.

    Args:
        cores: number of usable cores.
        memory: memory in bytes for the whole batch.
        engine: name of the engine.
        scene_bytes: bytes that a scene takes on one thread; the program itself is not included.
        workers: number of scenes at the same time, if the user gives this number.
        threads: number of threads per scene, if the user gives this number.
    """
    program = PROGRAM.get(engine, PROGRAM_OTHERWISE)
    fitting = max(memory // (program + (scene_bytes or USUAL_SCENE)), 1)
    count = workers or min(max(cores // (threads or 1), 1), fitting)
    share = max(memory // count - program, LEAST_SCENE)
    return Slots(count, threads or max(cores // count, 1), share, program)

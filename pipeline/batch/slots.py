"""How many scenes at once, and how many threads each: for the cores and the memory there are."""

from dataclasses import dataclass

from pipeline.machine.resources import in_words

# What a process takes before it has a scene, by engine (bytes).
PROGRAM = {"tensorflow": 1_000_000_000}
PROGRAM_OTHERWISE = 350_000_000
# What is assumed of scenes where none can tell (bytes beside the program).
USUAL_SCENE = 250_000_000
# A slot with less than this beside the program does no scene of the usual sizes (bytes).
LEAST_SCENE = 120_000_000


@dataclass(frozen=True)
class Slots:
    """Scenes at once, and what each may use."""

    count: int
    threads: int
    """Of each scene."""
    memory_limit: int
    """Bytes of each scene beside the program itself."""
    program_bytes: int
    """What the program itself takes, with its engine."""

    def __str__(self) -> str:
        """``2 scenes at once, 1 thread and 800 MB each``."""
        return f"{self.in_words(self.count)} and {in_words(self.memory_limit)} each"

    def in_words(self, count: int) -> str:
        """``2 scenes at once, 1 thread``, for any number of scenes."""
        scenes = "1 scene" if count == 1 else f"{count} scenes"
        return f"{scenes} at once, {self.threads} thread{'s' * (self.threads != 1)}"


def choose_slots(
    cores: int,
    memory: int,
    engine: str,
    scene_bytes: int | None,
    workers: int | None = None,
    threads: int | None = None,
) -> Slots:
    """As many scenes at once as cores and memory allow, for one thread per scene wastes none.

    Args:
        cores: that may be used.
        memory: bytes that the whole batch may use.
        engine: what runs the networks.
        scene_bytes: what a scene wants on one thread, beside the program itself.
        workers: scenes at once, where they are given.
        threads: of each scene, where they are given.
    """
    program = PROGRAM.get(engine, PROGRAM_OTHERWISE)
    fitting = max(memory // (program + (scene_bytes or USUAL_SCENE)), 1)
    count = workers or min(max(cores // (threads or 1), 1), fitting)
    share = max(memory // count - program, LEAST_SCENE)
    return Slots(count, threads or max(cores // count, 1), share, program)

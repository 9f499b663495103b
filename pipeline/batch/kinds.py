"""The kinds of outcomes of a job. The ledger stores these kinds."""

# Kinds of success.
DONE, UNCHANGED, SKIPPED = "done", "unchanged", "skipped"
SUCCESS = frozenset((DONE, UNCHANGED, SKIPPED))

# The scene itself is wrong, so another attempt ends the same way.
SCENE, DEFECT = "scene", "defect"
# Somebody may repair the cause between two calls, so the next call tries the scene again.
MISSING, NAME, WRITE, NETWORK = "missing", "name", "write", "network"
CONFIGURATION, UNAVAILABLE = "configuration", "unavailable"
# The cause may be temporary, so the same call tries again, up to the limit of attempts.
MEMORY, TIMEOUT, CRASH, LOST = "memory", "timeout", "crash", "lost"
TRANSIENT = frozenset((MEMORY, TIMEOUT, CRASH, LOST))
MENDED_OUTSIDE = frozenset((MISSING, NAME, WRITE, NETWORK, CONFIGURATION, UNAVAILABLE, LOST))

# The scene was replaced or changed while it was read. It is pending again, and this is not a failed
# attempt.
CHANGED = "changed"

# The scene looks damaged, but its file changed a short time ago, so it may still be copied. The
# scene is pending, this is not a failed attempt, and the next call tries the scene again.
UNFINISHED = "unfinished"

# The output folder cannot be used. This is not a failure of the scene, and it ends the batch.
OUTPUT = "output"

# The machine refused open files, processes, threads or space for temporary files. This is not a
# failure of the scene either, and it ends the batch.
MACHINE = "machine"

# The batch ends, so the job was abandoned. This is not a failed attempt.
STOPPED = "stopped"

"""How a batch processes many scenes, and which scenes are suspect.

Products do not record these settings.
"""

from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, model_validator

from pipeline.config.strict import Strict

Reprocess = Literal["changed", "all", "new-only", "ask-first"]
IfExists = Literal["skip", "overwrite", "error"]
Share = Annotated[float, Field(ge=0, le=1)]


class DaskCluster(Strict):
    """A Dask cluster that dask-jobqueue starts; its workers are jobs of a job scheduler."""

    kind: Literal["slurm", "pbs", "lsf", "sge", "htcondor", "oar", "moab"]
    jobs: int = Field(default=1, ge=1)
    """Number of jobs to submit."""
    options: dict[str, Any] = {}
    """Arguments of dask-jobqueue's cluster class: queue, cores, memory, walltime ..."""


class Batch(Strict):
    """How a batch processes its scenes."""

    inputs: tuple[str, ...] = ()
    """Scenes, folders, patterns and @lists to process if the command line names no scenes."""
    executor: Literal["processes", "inline", "dask"] = "processes"
    """Where scenes are processed: in local processes, in this process, or on a Dask cluster."""
    workers: int | None = Field(default=None, ge=1, le=10_000)
    """Number of scenes at the same time; by default as many as cores and memory allow."""
    scheduler: str | None = None
    """Address (tcp://host:port) of a Dask scheduler; by default a local cluster is started."""
    cluster: DaskCluster | None = None
    """A Dask cluster that a job scheduler starts."""
    timeout_s: float = Field(default=3600, gt=0)
    """Time limit of a scene in seconds."""
    max_attempts: int = Field(default=2, ge=1)
    """Number of attempts for a scene that times out, exhausts memory, or kills its process. A scene
    that fails because its file is faulty is tried only once."""
    if_exists: IfExists = "overwrite"
    """What to do if a file with the name of a product exists and is not in the ledger."""
    settle: float = Field(default=3, ge=0, le=3600)
    """A scene is processed when its file has not changed for this number of seconds. If a file
    looks damaged within ten minutes after its last change, this is not a failure yet. With 0, a
    file is read at once."""
    reprocess: Reprocess = "changed"
    """Which finished scenes are processed again after a change of the configuration, of a network
    or of the version: ``changed`` (scenes whose numbers may differ), ``all`` (also scenes of
    another version with the same numbers), ``new-only`` (none), or ``ask-first`` (as ``changed``,
    but only after a question on the terminal; without a terminal, none)."""
    min_free_space: ByteSize = ByteSize(100_000_000)
    """Bytes that must stay free on the disk of the products."""

    record_max_size: Annotated[ByteSize, Field(ge=100_000)] = ByteSize(100_000_000)
    """Largest size of ``quality.jsonl``. A larger file gets a new name that contains the time."""

    @model_validator(mode="after")
    def _one_cluster(self) -> "Batch":
        if self.scheduler and self.cluster:
            raise ValueError("expected a scheduler or a cluster, found both; remove one of the two")
        if (self.scheduler or self.cluster) and self.executor != "dask":
            raise ValueError("a scheduler or a cluster is given; set executor to dask")
        return self


class QualityControl(Strict):
    """A finished scene is suspect if it is outside one of these limits."""

    valid_fraction_min: Share | None = 0.001
    """Each network must be computed on at least this share of all pixels; null sets no limit."""
    input_out_of_range_max: Share | None = None
    """For each network input, the largest accepted share of values outside the training range."""
    flag_fraction_max: dict[str, Share] = {}
    """For each flag, the largest accepted share of pixels with this flag among all pixels. Give a
    flag alone (``CLDICE``) or after the name of its variable (``aph_flags.output_out_of_range``).
    """

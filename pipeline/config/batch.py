"""How many scenes are worked through, and which of them are suspect; never part of a product."""

from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, model_validator

from pipeline.config.strict import Strict

IfExists = Literal["skip", "overwrite", "error"]
Share = Annotated[float, Field(ge=0, le=1)]


class DaskCluster(Strict):
    """A Dask cluster whose workers are jobs of a scheduler, by dask-jobqueue."""

    kind: Literal["slurm", "pbs", "lsf", "sge", "htcondor", "oar", "moab"]
    jobs: int = Field(default=1, ge=1)
    """How many are submitted."""
    options: dict[str, Any] = {}
    """What dask-jobqueue's cluster class takes: queue, cores, memory, walltime ..."""


class Batch(Strict):
    """How a batch is worked through."""

    inputs: tuple[str, ...] = ()
    """Scenes, folders, patterns and @lists, where the command line names none."""
    executor: Literal["processes", "inline", "dask"] = "processes"
    """Local processes; this process, which isolates nothing; or a Dask cluster."""
    workers: int | None = Field(default=None, ge=1)
    """Scenes at once; chosen for the cores and the memory there are where nothing is said."""
    scheduler: str | None = None
    """Address of a Dask scheduler, tcp://host:port; a cluster on this machine where none is
    given."""
    cluster: DaskCluster | None = None
    """A Dask cluster to start by a job scheduler."""
    timeout_s: float = Field(default=3600, gt=0)
    """Seconds after which a scene is given up."""
    max_attempts: int = Field(default=2, ge=1)
    """How often a scene is tried that times out, exhausts memory, or kills its process. What is
    wrong with a scene itself is not tried again."""
    if_exists: IfExists = "overwrite"
    """What becomes of a file in the place of a product that the ledger does not know."""
    min_free_space: ByteSize = ByteSize(100_000_000)
    """Bytes that must stay free on the disk of the products."""

    @model_validator(mode="after")
    def _one_cluster(self) -> "Batch":
        if self.scheduler and self.cluster:
            raise ValueError("name a scheduler or a cluster, not both")
        if (self.scheduler or self.cluster) and self.executor != "dask":
            raise ValueError("a scheduler or a cluster needs executor: dask")
        return self


class QualityControl(Strict):
    """What makes a finished scene suspect."""

    valid_fraction_min: Share | None = None
    """Least share of all pixels that every network must have been computed on."""
    input_out_of_range_max: Share | None = None
    """Largest share of a network's pixels with any one input outside its training range."""
    flag_fraction_max: dict[str, Share] = {}
    """Flag (``CLDICE`` of any variable, or ``aph_flags.output_out_of_range``) -> largest share of
    all pixels."""

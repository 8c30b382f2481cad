"""Records of Ray clusters: what their nodes have, and where attempts run on them."""

from ia_modules.models.records import Record


class StepPlace(Record, kw_only=True, frozen=True):
    """Where an attempt runs, or ran, on a Ray cluster.

    Attributes:
        cluster: its identity, for as long as it lives.
        node: Ray's id of it.
        pid: of the process that keeps it there.
        resources: what it has of the node, by Ray's names: ``CPU``, ``GPU``, ``memory`` in bytes, and others.
        waited_seconds: from when it was asked for until the cluster had what it needs.
    """

    cluster: str
    node: str
    pid: int
    resources: dict[str, float]
    waited_seconds: float


class ClusterNode(Record, kw_only=True, frozen=True):
    """What one living node has, and what of it is free; by names as :class:`StepPlace` has them."""

    node: str
    total: dict[str, float]
    free: dict[str, float]


class WarmPool(Record, kw_only=True, frozen=True):
    """A process of a cluster that is kept for the steps of a pool.

    Attributes:
        pipeline: the slug of the pipeline whose steps they are.
        name: as the steps name it.
        node, pid, resources: as of :class:`StepPlace`; the attempts that run there have the same, and share them.
        attempts: how many it has, those that wait for a place in it included.
    """

    pipeline: str
    name: str
    node: str
    pid: int
    resources: dict[str, float]
    attempts: int


class JoinedCluster(Record, kw_only=True, frozen=True):
    """A cluster as a process that has joined it finds it.

    ``pools``: of the namespace of that process, without those that wait for resources.
    """

    cluster: str
    nodes: tuple[ClusterNode, ...]
    pools: tuple[WarmPool, ...] = ()

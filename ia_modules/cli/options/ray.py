"""``--ray`` and what goes with it: the Ray cluster that steps run on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ia_modules.cli.output.terminal import not_started
from ia_modules.engines.ray import AttemptRows, RayCluster
from ia_modules.errors import InvalidArgument
from ia_modules.pipeline.runtime_env import read_runtime_env

RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|HOST:PORT",
        envvar="IA_MODULES_RAY",
        help="Join this Ray cluster, for steps with executor: ray. This machine is a node of it.",
    ),
]
RayNamespace = Annotated[
    str | None,
    typer.Option(
        "--ray-namespace",
        metavar="NAME",
        envvar="IA_MODULES_RAY_NAMESPACE",
        show_default="of the database",
        help="Where what runs there has its names; another one for a copy of a database.",
    ),
]
RayWait = Annotated[
    float,
    typer.Option(
        "--ray-wait-seconds",
        min=0,
        help="How long a step may ask for what no node has: above 0 with an autoscaler.",
    ),
]
RayIsolated = Annotated[
    bool,
    typer.Option("--ray-isolated", help="With --ray: steps with isolation: process run there, too."),
]
RayFallback = Annotated[
    bool,
    typer.Option("--ray-fallback", help="Without --ray: run such steps in processes of this machine, where they may."),
]
RayRuntimeEnv = Annotated[
    Path | None,
    typer.Option(
        "--ray-runtime-env",
        metavar="FILE",
        help="Ray's runtime_env for such steps, as JSON; never stored or shown here. Ray itself shows it to those who "
        "see its dashboard, or the processes of its nodes.",
    ),
]


def ray_of(
    address: str | None, namespace: str | None, *, wait_seconds: float = 0.0, runtime_env: Path | None = None
) -> RayCluster | None:
    """The cluster that is named; None where none is. Nothing is joined yet.

    Raises:
        Exit: it cannot be used.
    """
    if address is None:
        return None
    try:
        return RayCluster(
            address,
            namespace=namespace,
            resource_wait_seconds=wait_seconds,
            runtime_env=None if runtime_env is None else _read(runtime_env),
        )
    except InvalidArgument as error:
        raise not_started(str(error)) from None


@asynccontextmanager
async def joined(ray: RayCluster | None, rows: AttemptRows) -> AsyncGenerator[None]:
    """Joins the cluster until the block ends, if there is one."""
    if ray is None:
        yield
        return
    async with ray.joining(rows):
        yield


def _read(file: Path) -> dict[str, Any]:
    """Raises Exit: it is no mapping in JSON."""
    try:
        return read_runtime_env(file)
    except ValueError as wrong:
        expected = "Expected Ray's runtime_env as a mapping in JSON."
        raise not_started(f"--ray-runtime-env {file} {wrong}. {expected}") from None

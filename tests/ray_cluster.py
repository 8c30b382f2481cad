"""A Ray cluster on this machine: a head that runs nothing, a node to join it by, and one more, which may be killed.

Run as a program it is that cluster, in a process of its own: it says where it is, does what each line of its
stdin says, and ends with that. Ray binds the machine's own address; it can be bound to no other.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

STORE_BYTES = 200 * 2**20


class RayOfTests:
    """A running cluster; ``address``: to join it by."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address: str = self._read()["address"]

    def kill_node(self) -> None:
        """Kill the node that has the GPU, and put another in its place once that is known."""
        self._do("kill node")

    def kill_head(self) -> None:
        self._do("kill head")

    def _do(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._read()

    def _read(self) -> dict[str, Any]:
        """The next line of JSON: Ray says much beside."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"'):
                return json.loads(line)
        raise RuntimeError("The Ray cluster of the tests ended. `make test` installs what it needs.")


@contextmanager
def ray_cluster() -> Generator[RayOfTests]:
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "tests.ray_cluster"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield RayOfTests(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def _main() -> None:
    kind: Any = importlib.import_module("ray.cluster_utils").Cluster
    cluster = kind(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES},
    )
    cluster.add_node(num_cpus=0, object_store_memory=STORE_BYTES)

    def add_worker() -> Any:
        return cluster.add_node(num_cpus=4, num_gpus=1, object_store_memory=STORE_BYTES)

    node = add_worker()
    _say({"address": cluster.address})
    for line in sys.stdin:
        if line == "kill node\n":
            cluster.remove_node(node, allow_graceful=False)
            node = add_worker()
        else:
            cluster.head_node.kill_gcs_server()
        _say({"done": line})
    cluster.shutdown()


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _main()

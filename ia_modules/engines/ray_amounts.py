"""What a step needs of a Ray cluster, and what its nodes have, by Ray's names. Pure."""

from collections.abc import Collection, Iterable, Mapping

from ia_modules.engines.ray_messages import NodeResources
from ia_modules.pipeline.remote_calls import Needs


def needed_by(needs: Needs) -> dict[str, float]:
    """By Ray's names, without what is not needed."""
    named = {"CPU": needs.cpu, "GPU": needs.gpu, "memory": float(needs.memory), **needs.custom}
    return {key: amount for key, amount in named.items() if amount}


def has_all(needed: Mapping[str, float], has: Mapping[str, float]) -> bool:
    """Whether there is enough of everything."""
    return all(has.get(key, 0.0) >= amount for key, amount in needed.items())


def in_words(amounts: Mapping[str, float]) -> str:
    """``2 CPU, 1 GPU``; memory in gigabytes."""
    return (
        ", ".join(
            f"{amount / 1e9:.1f} GB of memory" if key == "memory" else f"{amount:g} {key}"
            for key, amount in amounts.items()
        )
        or "nothing"
    )


def nodes_in_words(nodes: Collection[NodeResources]) -> str:
    shown = [in_words(asked_for(node.total)) for node in nodes]
    return f"its {len(nodes)} nodes have {'; '.join(shown)}" if nodes else "it has no nodes"


def asked_for(amounts: Mapping[str, float]) -> dict[str, float]:
    """What steps may ask for, by name."""
    return {
        key: amounts[key] for key in sorted(amounts) if not key.startswith("node:") and key != "object_store_memory"
    }


def sums_of(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in amounts:
        for key, amount in each.items():
            total[key] = total.get(key, 0.0) + amount
    return total

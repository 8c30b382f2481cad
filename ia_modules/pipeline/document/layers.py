"""A mapping that is extended without being copied: a step run knows what its parent knew, and one layer more."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _Absent:
    """In a difference: the key is not there."""


_ABSENT = _Absent()


class Layers(Mapping[K, V], Generic[K, V]):
    """A mapping that never changes. :meth:`with_top` makes a larger one, and both share their memory.

    Of all that were made of each other, one holds the dict. Each of the others has its difference to one that is nearer
    to the dict. Reading brings the dict here, so reading one and the same, or along a chain, takes no copy. Keys keep
    the order in which they were first added. For one thread.

    Source: H. Baker, "Shallow binding makes functional arrays fast", ACM SIGPLAN Notices 26 (8), 1991.
    """

    __slots__ = ("_difference", "_table", "_toward")

    def __init__(self, entries: Mapping[K, V], *, below: "Layers[K, V] | None" = None) -> None:
        """``below``: what the entries are laid over; None: nothing."""
        self._table: dict[K, V] = dict(entries) if below is None else {}
        self._toward: Layers[K, V] | None = below
        self._difference: Mapping[K, V | _Absent] = {} if below is None else entries

    def with_top(self, entries: Mapping[K, V]) -> "Layers[K, V]":
        """This mapping with these entries laid over it; ``entries`` must not change afterwards."""
        return Layers(entries, below=self)

    def to_dict(self) -> dict[K, V]:
        """A copy of its own."""
        return (self._table if self._toward is None else self._here()).copy()

    def __getitem__(self, key: K) -> V:
        return self._here()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._here()

    def __iter__(self) -> Iterator[K]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self._here())

    def _here(self) -> dict[K, V]:
        """The dict, brought here; one more dict where the way to it is longer than a copy."""
        if self._toward is None:
            return self._table
        way: list[Layers[K, V]] = []
        holder = self
        while holder._toward is not None:
            way.append(holder)
            holder = holder._toward
        if len(way) > len(holder._table):
            table = dict(holder._table)
            for layers in reversed(way):
                _lay(layers._difference, table)
            self._table, self._toward, self._difference = table, None, {}
            return table
        for layers in reversed(way):
            table = holder._table
            undo = _lay(layers._difference, table)
            holder._table, holder._toward, holder._difference = {}, layers, undo
            layers._table, layers._toward, layers._difference = table, None, {}
            holder = layers
        return self._table


def _lay(difference: Mapping[K, V | _Absent], table: dict[K, V]) -> Mapping[K, V | _Absent]:
    """Change a table by a difference; returns the one that takes it back."""
    undo: dict[K, V | _Absent] = {}
    for key, value in difference.items():
        undo[key] = table.get(key, _ABSENT)
        if isinstance(value, _Absent):
            table.pop(key, None)
        else:
            table[key] = value
    return undo

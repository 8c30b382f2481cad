"""Two payloads beside each other: whether they are the same, and, as far as there is room for it, where they differ."""

import orjson
from msgspec import Struct

from ia_modules.models import Json, JsonText
from ia_modules.payload import size_bytes
from ia_modules.pipeline.comparing.difference import (
    CHANGES_LIMIT,
    JsonChange,
    JsonDifference,
    canonical,
    difference_of,
    only_in_one,
)

LOOKED_INTO_BYTES = 2**20
"""Of larger payloads only the hashes are compared."""

ALL_LOOKED_INTO_BYTES = 4 * 2**20
"""Once so much JSON that differs has been looked into, other payloads are only said to differ."""

ALL_CHANGES_LIMIT = 2_000
"""So many places are named in one comparison."""

BY_HASH = "Larger than 1 MiB, or beyond what is read at once: compared by the hash of its text."
TOO_LARGE = "Larger than 1 MiB: not looked into."
ENOUGH = "Not looked into: in this comparison, enough that differs has been."


class Payload(Struct, frozen=True):
    """A payload as a comparison has it.

    Attributes:
        size_bytes: 0: there is none.
        text: the JSON; None: there is none, or it is compared by its hash.
        digest: SHA-256 of the text where that was not kept; None also where the sizes tell already.
    """

    size_bytes: int
    text: JsonText | None = None
    digest: str | None = None

    @classmethod
    def of(cls, text: JsonText | None) -> "Payload":
        """A payload that is at hand."""
        return cls(size_bytes(text), text)

    @property
    def is_at_hand(self) -> bool:
        return self.text is not None or not self.size_bytes

    @property
    def value(self) -> Json:
        """None also where it is not at hand."""
        return None if self.text is None else orjson.loads(self.text)

    def is_same_as(self, other: "Payload") -> bool:
        """Exact. Where there are hashes only, another order of keys is another payload."""
        if self.text is not None and other.text is not None:
            return self.text == other.text or canonical(self.value) == canonical(other.value)
        return self.size_bytes == other.size_bytes and self.digest == other.digest


NOTHING = Payload(0)


class Contrast(Struct, kw_only=True, frozen=True):
    """Whether two values are the same, and where they differ.

    Attributes:
        same: None: not compared; ``note`` says why.
        a_bytes: size of the first as it is stored; None: it is not stored, but made of results.
        b_bytes: of the second.
        changes: where they differ, as far as they were looked into.
        left_out: so many places beyond those.
        note: why there is less to see than one would expect; None: there is not.
    """

    same: bool | None
    a_bytes: int | None = None
    b_bytes: int | None = None
    changes: tuple[JsonChange, ...] = ()
    left_out: int = 0
    note: str | None = None


class Looking:
    """Looks into what differs, until it has looked into enough."""

    def __init__(self) -> None:
        self._bytes_left, self._changes_left = ALL_LOOKED_INTO_BYTES, ALL_CHANGES_LIMIT

    def at_payloads(self, a: Payload, b: Payload) -> Contrast:
        """Two payloads, of which there may be one only, or none."""
        if a.is_same_as(b):
            note = None if a.is_at_hand else BY_HASH
            return Contrast(same=True, a_bytes=a.size_bytes, b_bytes=b.size_bytes, note=note)
        if not a.is_at_hand or not b.is_at_hand:
            return Contrast(same=False, a_bytes=a.size_bytes, b_bytes=b.size_bytes, note=BY_HASH)
        if a.text is None or b.text is None:
            return self._found(only_in_one(a.text, b.text), a.size_bytes, b.size_bytes)
        return self._differing(a.value, b.value, a.size_bytes + b.size_bytes, a.size_bytes, b.size_bytes)

    def at_values(self, a: Json, b: Json) -> Contrast:
        """Two values that are not stored as such."""
        one, other = canonical(a), canonical(b)
        if one == other:
            return Contrast(same=True)
        return self._differing(a, b, len(one) + len(other), None, None)

    def _differing(self, a: Json, b: Json, size: int, a_bytes: int | None, b_bytes: int | None) -> Contrast:
        if size > 2 * LOOKED_INTO_BYTES:
            return Contrast(same=False, a_bytes=a_bytes, b_bytes=b_bytes, note=TOO_LARGE)
        if self._changes_left <= 0 or size > self._bytes_left:
            return Contrast(same=False, a_bytes=a_bytes, b_bytes=b_bytes, note=ENOUGH)
        self._bytes_left -= size
        return self._found(difference_of(a, b, limit=min(CHANGES_LIMIT, self._changes_left)), a_bytes, b_bytes)

    def _found(self, difference: JsonDifference, a_bytes: int | None, b_bytes: int | None) -> Contrast:
        self._changes_left -= len(difference.changes)
        return Contrast(
            same=False, a_bytes=a_bytes, b_bytes=b_bytes, changes=difference.changes, left_out=difference.left_out
        )

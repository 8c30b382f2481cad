"""Ids of traces and spans, made of the ids of executions and attempts; and the header that carries them, pure.

So whoever goes on with an execution goes on with its trace, and nothing of a trace has to be remembered.
"""

import hashlib
import re
from typing import NamedTuple, Self

from ia_modules.models import ExecutionId, StepExecutionId

TRACEPARENT = "traceparent"
"""The name of the header, and of the field of every carrier (W3C Trace Context)."""

_HEADER = re.compile(r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_SAMPLED = 0x01


class Traceparent(NamedTuple):
    """A span of some trace, as it is handed from one program to another.

    Attributes:
        is_sampled: whether it is recorded; what stands below it follows that.
    """

    trace_id: int
    span_id: int
    is_sampled: bool

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """What a header says; None where there is none, or no valid one: the standard wants that to be ignored."""
        found = None if text is None else _HEADER.match(text.strip())
        if found is None:
            return None
        version, rest = found["version"], text.strip()[found.end() :] if text is not None else ""
        if version == "ff" or (rest and (version == "00" or not rest.startswith("-"))):
            return None
        trace_id, span_id = int(found["trace"], 16), int(found["span"], 16)
        if not (trace_id and span_id):
            return None
        return cls(trace_id, span_id, bool(int(found["flags"], 16) & _SAMPLED))

    @property
    def text(self) -> str:
        """As a header has it."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.is_sampled):02x}"


def trace_id_of(execution_id: ExecutionId, traceparent: str | None) -> int:
    """The trace of an execution: the one that it was begun in, or one of its own, which is its id."""
    parent = Traceparent.read(traceparent)
    return int(execution_id.replace("-", ""), 16) if parent is None else parent.trace_id


def span_id_of(id_: ExecutionId | StepExecutionId) -> int:
    """The span of an execution, or of an attempt: 64 bits of a digest of its id."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8]) or 1


def span_id_again(execution_id: ExecutionId, reopened: int) -> int:
    """The span of what an execution did after it had ended badly and went on.

    Args:
        reopened: the sequence with which it went on.
    """
    return int.from_bytes(hashlib.sha256(f"{execution_id}/{reopened}".encode()).digest()[:8]) or 1

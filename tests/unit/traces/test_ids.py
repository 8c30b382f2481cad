import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.models import ExecutionId, new_id
from ia_modules.traces.ids import Traceparent, span_id_again, span_id_of, trace_id_of

_IDS = st.integers(min_value=1, max_value=2**64 - 1)
_OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(trace_id=st.integers(min_value=1, max_value=2**128 - 1), span_id=_IDS, is_sampled=st.booleans())
def test_what_is_written_as_a_header_is_read_as_the_same(trace_id: int, span_id: int, is_sampled: bool) -> None:
    parent = Traceparent(trace_id, span_id, is_sampled)
    assert Traceparent.read(parent.text) == parent


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
    ],
)
def test_what_is_no_header_is_ignored(text: str | None) -> None:
    assert Traceparent.read(text) is None


def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known() -> None:
    later = Traceparent.read("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes")
    assert later == Traceparent.read(_OUTER)


def test_the_trace_of_an_execution_is_its_id_or_the_one_that_it_was_begun_in() -> None:
    execution_id = ExecutionId(new_id())
    assert f"{trace_id_of(execution_id, None):032x}" == execution_id.replace("-", "")
    assert f"{trace_id_of(execution_id, _OUTER):032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_id_of(execution_id, "none") == trace_id_of(execution_id, None)


def test_ids_of_spans_are_64_bits_and_differ() -> None:
    ids = [ExecutionId(new_id()) for _ in range(1000)]
    spans = {span_id_of(id_) for id_ in ids} | {span_id_again(id_, 7) for id_ in ids}
    assert len(spans) == 2000
    assert all(0 < span < 2**64 for span in spans)

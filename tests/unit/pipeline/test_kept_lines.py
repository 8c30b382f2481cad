"""The first and the last lines of an attempt, of each kind, whatever is logged."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ia_modules.models import GAP_LOGGER, SEVERITIES, JsonText, LogLevel, new_id
from ia_modules.pipeline.kept_lines import KeptLines, LineBound, LoggedLine

URGENT = (LogLevel.WARNING, LogLevel.ERROR)
LINES = st.lists(st.tuples(st.sampled_from(SEVERITIES), st.integers(0, 12)), max_size=60)


def logged(level: LogLevel, characters: int = 4) -> LoggedLine:
    return LoggedLine(0.0, new_id(), level, "x" * characters, None)


def is_a_note(line: LoggedLine) -> bool:
    return not line.text.startswith("x") and line.text != ""


@given(lines=LINES, count=st.integers(1, 6), characters=st.integers(1, 30))
def test_the_first_and_the_last_are_kept_and_every_other_is_counted(
    lines: list[tuple[LogLevel, int]], count: int, characters: int
) -> None:
    kept, bound = KeptLines(LineBound(count, characters), LineBound(count, characters)), LineBound(count, characters)
    added: list[LoggedLine] = []
    written: list[LoggedLine] = []
    for level, size in lines:
        added.append(logged(level, size + 1))
        written += kept.add(added[-1])
    rest = kept.rest()
    for part in (written, rest):
        assert [line.log_id for line in part] == sorted(line.log_id for line in part)
    assert len({line.log_id for line in (*written, *rest)}) == len(written) + len(rest)
    gaps = [line for line in rest if is_a_note(line)]
    left_out = sum(orjson.loads(gap.data or "null")["left_out"] for gap in gaps)
    own = [line for line in (*written, *rest) if not is_a_note(line)]
    assert len(own) + left_out == len(added)
    for urgent in (False, True):
        of_kind = [line.text for line in added if (line.level in URGENT) is urgent]
        first = [line.text for line in written if not is_a_note(line) and (line.level in URGENT) is urgent]
        last = [line.text for line in rest if not is_a_note(line) and (line.level in URGENT) is urgent]
        assert of_kind[: len(first)] == first
        assert of_kind[len(of_kind) - len(last) :] == last
        for end in (first, last):
            assert len(end) <= bound.lines
            assert len(end) <= 1 or sum(map(len, end)) <= bound.characters
        assert len(first) + len(last) == len(of_kind) or last, "the last ones are kept where some are left out"


def test_a_gap_stands_where_the_lines_were() -> None:
    kept = KeptLines(LineBound(2, 1_000), LineBound(2, 1_000))
    lines: list[LoggedLine] = []
    written: list[LoggedLine] = []
    for _ in range(8):
        lines.append(logged(LogLevel.INFO))
        written += kept.add(lines[-1])
    assert [line.log_id for line in written] == [line.log_id for line in lines[:3]]
    now = written[2]
    assert now.text == "Of what follows, the last 2 lines are kept, and written when the attempt ends."
    gap, *last = kept.rest()
    assert [line.log_id for line in last] == [line.log_id for line in lines[6:]]
    assert (gap.level, gap.logger, gap.data) == (LogLevel.INFO, GAP_LOGGER, JsonText('{"left_out":4}'))
    assert gap.text == "4 lines are left out here: an attempt keeps the first and the last."


def test_warnings_and_errors_have_a_bound_of_their_own() -> None:
    kept = KeptLines(LineBound(1, 1_000), LineBound(1, 1_000))
    assert [len(kept.add(logged(LogLevel.INFO))) for _ in range(3)] == [1, 1, 0]
    errors = [logged(LogLevel.ERROR) for _ in range(4)]
    assert kept.add(errors[0]) == [errors[0]]
    assert [len(kept.add(error)) for error in errors[1:]] == [1, 0, 0]
    gaps = [(line.level, line.text) for line in kept.rest() if line.logger == GAP_LOGGER]
    assert gaps == [
        (LogLevel.INFO, "1 line is left out here: an attempt keeps the first and the last."),
        (LogLevel.ERROR, "2 warnings and errors are left out here: an attempt keeps the first and the last."),
    ]


def test_one_line_that_is_larger_than_all_may_be_is_kept() -> None:
    kept, large = KeptLines(LineBound(2, 10), LineBound(2, 10)), logged(LogLevel.INFO, 20)
    assert kept.add(large) == [large]
    kept.add(logged(LogLevel.INFO))
    kept.add(last := logged(LogLevel.INFO, 30))
    assert kept.rest()[-1] == last

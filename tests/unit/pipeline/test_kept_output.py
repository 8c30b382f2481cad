"""The first output of an attempt, in the order in which it was given, up to a bound."""

from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from ia_modules.models import GAP_LOGGER, LogLevel
from ia_modules.payload import encode
from ia_modules.pipeline import kept_output
from ia_modules.pipeline.kept_lines import LoggedLine
from ia_modules.pipeline.kept_output import LEFT_OUT, LINE_CHARACTERS, KeptOutput

CHANNELS = ("answer", "thought")
VALUES = st.one_of(st.text(max_size=6), st.integers(0, 10**6), st.dictionaries(st.sampled_from("aü"), st.none()))
PIECES = st.lists(st.tuples(st.sampled_from(CHANNELS), VALUES) | st.just(None), max_size=40)  # None: it is written


def give(kept: KeptOutput, channel: str, piece: Any) -> None:
    if isinstance(piece, str):
        kept.add_text(channel, piece, 0.0)
    else:
        kept.add_json(channel, encode(piece, "piece"), 0.0)


def storable(piece: Any) -> Any:
    return piece.replace("\0", "\ufffd") if isinstance(piece, str) else piece


def read(lines: list[LoggedLine]) -> list[tuple[str, Any]]:
    """What a reader gets: texts and values, each with its channel."""
    read: list[tuple[str, Any]] = []
    for line in lines:
        assert line.level is LogLevel.OUTPUT
        read += [(str(line.logger), each) for each in orjson.loads(line.data or "[]")]
        read += [(str(line.logger), line.text)] if line.text else []
    return read


def joined(pieces: list[tuple[str, Any]], channel: str) -> list[Any]:
    """The pieces of a channel, neighbouring texts as one."""
    found: list[Any] = []
    for of, piece in pieces:
        if of == channel and isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif of == channel and piece != "":
            found.append(piece)
    return found


@given(pieces=PIECES, at_once=st.integers(1, 20))
def test_what_is_read_is_what_was_given_in_its_order(pieces: list[tuple[str, Any] | None], at_once: int) -> None:
    kept, lines, given_pieces = KeptOutput(), list[LoggedLine](), list[tuple[str, Any]]()
    for piece in pieces:
        if piece is None:
            lines += kept.take(at_once)
            continue
        give(kept, *piece)
        given_pieces.append((piece[0], storable(piece[1])))
    lines += kept.take(kept.characters)
    assert [line.log_id for line in lines] == sorted(line.log_id for line in lines)
    assert not kept.has_lines
    for channel in CHANNELS:
        assert joined(read(lines), channel) == joined(given_pieces, channel)
    # between JSON and text the order is that of all channels: so many texts come before each value
    assert before_each_value(read(lines)) == before_each_value(given_pieces)


def before_each_value(pieces: list[tuple[str, Any]]) -> list[str]:
    """Of each value, the texts before it, whatever their channels; JSON of several channels in the order of these."""
    texts: dict[str, str] = dict.fromkeys(CHANNELS, "")
    before: list[str] = []
    for channel, piece in pieces:
        if isinstance(piece, str):
            texts[channel] += piece
        else:
            before.append(repr(texts))
    return before


@example(pieces=[("answer", 0)] * 3, room=3, most=1)  # commas take room, too
@given(pieces=PIECES, room=st.integers(0, 60), most=st.integers(1, 6))
def test_the_first_is_kept_up_to_the_bound_and_then_it_is_said_once(
    pieces: list[tuple[str, Any] | None], room: int, most: int
) -> None:
    kept, lines, given_pieces = KeptOutput(kept_bytes=room, kept_lines=most), list[LoggedLine](), list[Any]()
    for piece in pieces:
        if piece is None:
            lines += kept.take(10)
            continue
        give(kept, "answer", piece[1])
        given_pieces.append(("answer", storable(piece[1])))
    lines += kept.take(kept.characters)
    gaps = [line for line in lines if line.logger == GAP_LOGGER]
    own = [line for line in lines if line.logger != GAP_LOGGER]
    assert len(own) <= most
    assert sum(len((line.text + (line.data or "")).encode()) - 2 * bool(line.data) for line in own) <= room + len(lines)
    everything, found = joined(given_pieces, "answer"), joined(read(own), "answer")
    assert is_a_beginning(found, everything)
    assert [line.text for line in gaps] == [LEFT_OUT] * (found != everything)
    assert lines[-1:] == gaps or not gaps
    assert kept.is_full is bool(gaps)


def is_a_beginning(found: list[Any], everything: list[Any]) -> bool:
    if not found or isinstance(found[-1], str):
        last = found[-1] if found else ""
        here = everything[len(found) - 1] if found else ""
        return found[:-1] == everything[: max(0, len(found) - 1)] and isinstance(here, str) and here.startswith(last)
    return found == everything[: len(found)]


def test_a_text_of_any_length_is_kept_as_lines_that_are_not_too_long() -> None:
    kept, text = KeptOutput(), "ü" * (2 * LINE_CHARACTERS + 1)
    kept.add_text("answer", text, 0.0)
    lines = kept.take(kept.characters)
    assert [len(line.text) for line in lines] == [LINE_CHARACTERS, LINE_CHARACTERS, 1]
    kept.add_text("answer", "y" * kept_output.KEPT_BYTES, 0.0)
    lines += kept.take(kept.characters)
    assert sum(len(line.text.encode()) for line in lines[:-1]) == kept_output.KEPT_BYTES
    assert (lines[-1].text, lines[-1].logger) == (LEFT_OUT, GAP_LOGGER)


def test_a_character_is_not_torn_at_the_bound() -> None:
    kept = KeptOutput(kept_bytes=3)
    kept.add_text("answer", "üü", 0.0)
    assert [line.text for line in kept.take(kept.characters)] == ["ü", LEFT_OUT]

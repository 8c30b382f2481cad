"""What is known about a table of US airports: what may be wrong with it, and how that is repaired.

Everything here is a pure function of the rows: the same file and the same repairs give the same table, in any process.
"""

import csv
import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

COLUMNS = ("iata", "name", "city", "state", "country", "latitude", "longitude")
PLACEHOLDERS = {"", "-", "?", "N/A", "NA", "NONE", "NULL", "UNKNOWN"}
COUNTRY = "USA"

NORTH_WEST = (1, -1)
HEMISPHERES = {"AS": (-1, -1), "CQ": (1, 1), "GU": (1, 1)}
"""The signs of latitude and longitude where they are not those of the mainland: Samoa, the Marianas, Guam."""

ACROSS_THE_DATE_LINE = {"AK"}
"""Where both signs of the longitude are right: the Aleutians."""

EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Row:
    """One airport.

    Attributes:
        line: in the file, counting from 1; it stays the row's name whatever is repaired.
        repaired: the columns that no longer are as they were.
    """

    line: int
    cells: dict[str, str]
    repaired: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees; None when they are no numbers on a globe."""
        try:
            latitude, longitude = float(self.cells["latitude"]), float(self.cells["longitude"])
        except ValueError:
            return None
        return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None

    def missing(self) -> list[str]:
        """The columns without a value, or with a word that stands for none."""
        return [column for column in COLUMNS if self.cells[column].strip().upper() in PLACEHOLDERS]

    def with_cell(self, column: str, value: str) -> "Row":
        return replace(self, cells={**self.cells, column: value}, repaired=(*self.repaired, column))


@dataclass(frozen=True, slots=True)
class Limits:
    """Distances that decide.

    Attributes:
        same_place_km: two airports that are closer are one.
        nearby_km: how far away an airport may be whose city another one is given.
    """

    same_place_km: float = 0.5
    nearby_km: float = 25.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a row."""

    line: int
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that a repair changed; without a column, a row that it removed."""

    line: int
    kind: str
    column: str | None
    before: str
    after: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file.

    Attributes:
        sha256: of the file's bytes.
    """

    rows: list[Row]
    sha256: str


def read_table(path: Path) -> Table:
    """Read a CSV file with the columns of :data:`COLUMNS`; further ones are ignored.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), restval="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}")
    rows = [Row(reader.line_num, {column: cells[column] for column in COLUMNS}) for cells in reader]
    if not rows:
        raise ValueError(f"{path} has no rows")
    return Table(rows, hashlib.sha256(content).hexdigest())


def problems(rows: Sequence[Row], limits: Limits) -> Iterator[Problem]:
    """Everything that is wrong, row by row, then between rows."""
    codes: dict[str, int] = {}
    for row in rows:
        yield from _problems_of(row)
        first = codes.setdefault(row.cells["iata"], row.line)
        if first != row.line:
            yield Problem(row.line, "code", f"has the code {row.cells['iata']} of line {first}")
    for kept, removed, distance_km in _twins(rows, limits.same_place_km):
        what = f"{removed.cells['iata']} lies {distance_km:.2f} km from {kept.cells['iata']}, line {kept.line}"
        yield Problem(removed.line, "duplicate", what)


def _problems_of(row: Row) -> Iterator[Problem]:
    for column, value in row.cells.items():
        if value != _tidy(value):
            yield Problem(row.line, "spacing", f"{column} is {value!r}")
    for column in row.missing():
        yield Problem(row.line, "blank", f"{column} is {row.cells[column]!r}")
    if row.cells["country"] != COUNTRY and "country" not in row.missing():
        yield Problem(row.line, "foreign", f"lies in {row.cells['country']}")
    if row.place is None:
        yield Problem(row.line, "place", f"lies at {row.cells['latitude']!r}, {row.cells['longitude']!r}")
    for column, value in _wrong_signs(row):
        yield Problem(row.line, "sign", f"{column} {value} is not in {row.cells['state']}")


def repair(rows: Sequence[Row], kind: str, limits: Limits) -> tuple[list[Row], list[Change]]:
    """The table with one kind of problem repaired as far as it can be, and what was changed for that.

    Raises:
        ValueError: there is no repair for this kind.
    """
    if kind not in REPAIRS:
        raise ValueError(f"no repair for {kind!r}; there are {', '.join(REPAIRS)}")
    changes = list(REPAIRS[kind](rows, limits))
    cells = {(change.line, change.column): change.after for change in changes if change.column and change.after}
    removed = {change.line for change in changes if change.column is None}
    return [_changed(row, cells) for row in rows if row.line not in removed], changes


def replay(rows: Sequence[Row], kinds: Iterable[str], limits: Limits) -> tuple[list[Row], list[Change]]:
    """The table after several repairs, one after the other."""
    table, changes = list(rows), list[Change]()
    for kind in kinds:
        table, made = repair(table, kind, limits)
        changes += made
    return table, changes


def _changed(row: Row, cells: dict[tuple[int, str], str]) -> Row:
    for column in COLUMNS:
        if (row.line, column) in cells:
            row = row.with_cell(column, cells[row.line, column])
    return row


def _tidy_spacing(rows: Sequence[Row], _limits: Limits) -> Iterator[Change]:
    for row in rows:
        for column, value in row.cells.items():
            if value != _tidy(value):
                yield Change(row.line, "spacing", column, value, _tidy(value), "one space between words, none around")


def _turn_signs(rows: Sequence[Row], _limits: Limits) -> Iterator[Change]:
    for row in rows:
        for column, value in _wrong_signs(row):
            turned = value.removeprefix("-") if value.startswith("-") else f"-{value.removeprefix('+')}"
            yield Change(row.line, "sign", column, value, turned, f"where {row.cells['state']} is")


def _fill_blanks(rows: Sequence[Row], limits: Limits) -> Iterator[Change]:
    """City, state and country are those of the nearest complete airport, if there is one nearby."""
    complete = [row for row in rows if row.place and not row.missing() and row.cells["country"] == COUNTRY]
    for row in rows:
        blank = [column for column in row.missing() if column in ("city", "state", "country")]
        nearest = _nearest(row, complete) if blank else None
        if nearest is None or nearest[0] > limits.nearby_km:
            continue
        distance_km, source = nearest
        for column in blank:
            why = f"as {source.cells['iata']}, {distance_km:.1f} km away"
            yield Change(row.line, "blank", column, row.cells[column], source.cells[column], why)


def _remove_foreign(rows: Sequence[Row], _limits: Limits) -> Iterator[Change]:
    for row in rows:
        if row.cells["country"] != COUNTRY and "country" not in row.missing():
            yield Change(row.line, "foreign", None, row.cells["iata"], None, f"lies in {row.cells['country']}")


def _remove_duplicates(rows: Sequence[Row], limits: Limits) -> Iterator[Change]:
    gone: set[int] = set()
    for kept, removed, distance_km in _twins(rows, limits.same_place_km):
        if not gone & {kept.line, removed.line}:
            gone.add(removed.line)
            why = f"is {kept.cells['iata']}, {distance_km:.2f} km away"
            yield Change(removed.line, "duplicate", None, removed.cells["iata"], None, why)


REPAIRS: dict[str, Callable[[Sequence[Row], Limits], Iterator[Change]]] = {
    "spacing": _tidy_spacing,
    "sign": _turn_signs,
    "blank": _fill_blanks,
    "foreign": _remove_foreign,
    "duplicate": _remove_duplicates,
}


def _tidy(value: str) -> str:
    return " ".join(value.split())


def _wrong_signs(row: Row) -> Iterator[tuple[str, str]]:
    """The coordinates of the other hemisphere, as they are written."""
    place, state = row.place, row.cells["state"]
    if place is None or row.cells["country"] != COUNTRY or state.strip().upper() in PLACEHOLDERS:
        return
    for column, degrees, sign in zip(("latitude", "longitude"), place, HEMISPHERES.get(state, NORTH_WEST), strict=True):
        if degrees * sign < 0 and not (column == "longitude" and state in ACROSS_THE_DATE_LINE):
            yield column, row.cells[column].strip()


def _twins(rows: Sequence[Row], same_place_km: float) -> Iterator[tuple[Row, Row, float]]:
    """Pairs of rows at the same place: the one to keep (repaired least, then first), the other, the distance in km."""
    placed = sorted((place, row.line, row) for row in rows if (place := row.place) is not None)
    degrees = same_place_km / (EARTH_RADIUS_KM * math.pi / 180)
    for index, (place, _, row) in enumerate(placed):
        for other_place, _, other in placed[index + 1 :]:
            if other_place[0] - place[0] > degrees:
                break  # sorted by latitude: all further ones are further north
            distance_km = _distance_km(place, other_place)
            if distance_km <= same_place_km:
                kept, removed = sorted((row, other), key=lambda each: (len(each.repaired), each.line))
                yield kept, removed, distance_km


def _nearest(row: Row, among: Sequence[Row]) -> tuple[float, Row] | None:
    here = row.place
    if here is None:
        return None
    distances = ((_distance_km(here, there), other) for other in among if (there := other.place) is not None)
    return min(distances, key=lambda pair: (pair[0], pair[1].line), default=None)


def _distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the surface of the earth: the haversine formula."""
    (lat1, lon1), (lat2, lon2) = (map(math.radians, place) for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))

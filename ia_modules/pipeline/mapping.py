"""A step that runs for each entry of a list: which items there are, which begins next, and what they make; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, cast

import orjson
from msgspec import Struct

from ia_modules.errors import MapItemFailed, MapTooLarge, PayloadError, Problem, StepConflict, StepError, StepInputError
from ia_modules.models import AttemptRecord, JsonText, StepExecutionId, StepStatus
from ia_modules.payload import PAYLOAD_LIMIT_BYTES, check_name, clean_text, encode
from ia_modules.pipeline.document.definition import StepDefinition
from ia_modules.pipeline.document.maps import MOST_ITEMS, MapDefinition
from ia_modules.pipeline.document.scope import MappedItem, Scope, Unresolved
from ia_modules.pipeline.document.wording import kind_of

MOST_ERRORS = 1_000
"""Failures that the result of a map lists."""


class MapItems(Struct, frozen=True):
    """What a step runs for.

    Attributes:
        keys: what each is called; None: by its number.
    """

    values: Sequence[Any]
    keys: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def item(self, number: int) -> MappedItem:
        """One of them, by its number from 1."""
        return MappedItem(self.values[number - 1], number - 1, self.key(number))

    def key(self, number: int) -> str:
        return str(number) if self.keys is None else self.keys[number - 1]


def items_of(step: StepDefinition, scope: Scope) -> MapItems:
    """The items of a step with a map.

    Raises:
        StepInputError: there is no list, or its entries have no keys of their own.
        MapTooLarge: it has too many.
    """
    assert step.map is not None
    values = step.map.over.resolve(scope)
    if isinstance(values, Unresolved):
        raise StepInputError(step.id, [Problem("map.over", f"{values.placeholder}, but {values.why}", "a list")])
    if not isinstance(values, list):
        found = f"{step.map.over.json}, which is {kind_of(values)}"
        raise StepInputError(step.id, [Problem("map.over", found, "a list")])
    entries = cast("list[Any]", values)
    if len(entries) > MOST_ITEMS:
        raise MapTooLarge(step.id, len(entries), MOST_ITEMS)
    return MapItems(entries, None if step.map.key is None else _keys_of(step, step.map, entries, scope))


def _keys_of(step: StepDefinition, mapped: MapDefinition, values: Sequence[Any], scope: Scope) -> list[str]:
    assert mapped.key is not None
    numbers: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        key = mapped.key.resolve(scope.of_item(MappedItem(value, number - 1, str(number))))
        if isinstance(key, Unresolved):
            found = f"{key.placeholder} of item {number}, but {key.why}"
            raise StepInputError(step.id, [Problem("map.key", found, "a key for each item")])
        try:
            text = check_name(key if isinstance(key, str) else orjson.dumps(key).decode(), f"key of item {number}")
        except PayloadError as error:
            raise StepInputError(step.id, [Problem("map.key", str(error), "a key for each item")]) from error
        if text in numbers:
            found = f"the key {text!r} of the items {numbers[text]} and {number}"
            raise StepInputError(step.id, [Problem("map.key", found, "another key for each item")])
        numbers[text] = number
    return list(numbers)


class BegunItem(Struct, frozen=True):
    """An item whose next attempt begins.

    Attributes:
        on_record: the attempt that is, and does not run: it has not begun, or waits for people.
    """

    number: int
    attempt: int
    failures: int = 0
    on_record: StepExecutionId | None = None


class FailedItem(Struct, frozen=True):
    """An item that has failed for good."""

    number: int
    error_type: str | None
    error_message: str | None


class MapCourse:
    """Where a map stands.

    Attributes:
        completed: how many items are done.
        failed: how many have failed for good.
        running: how many are made now.
        problem: why what the items give cannot be kept; None: it can.
        kept: the attempts that had completed when it was taken up, by number.
        delayed: what is on record and has not begun.
        asking: what is on record and waits for people.
    """

    def __init__(self, step: StepDefinition, items: MapItems, records: Iterable[AttemptRecord]) -> None:
        """Take it up.

        Args:
            records: the attempts of its items that are on record.

        Raises:
            StepConflict: there are more of them than items.
        """
        assert step.map is not None
        self._step, self._map, self._items = step, step.map, items
        self._most_failures = step.map.allowed_failures(len(items))
        self.completed = self.failed = self.running = 0
        self.problem: StepError | None = None
        self.errors: list[FailedItem] = []
        self._next = 1
        self._again: list[tuple[int, BegunItem]] = []  # a heap by number: what begins before ``_next``
        self._collected: list[JsonText | None] = [None] * len(items) if step.map.collects else []
        self._collected_bytes = 0
        self.kept: dict[int, StepExecutionId] = {}
        self.delayed: list[tuple[BegunItem, AttemptRecord]] = []
        self.asking: list[tuple[BegunItem, AttemptRecord]] = []
        newest: dict[int, AttemptRecord] = {}
        failures: dict[int, int] = {}
        for each in sorted(records, key=lambda record: record.attempt):
            newest[each.iteration] = each
            counts = each.status is StepStatus.FAILED and not each.is_reopened
            failures[each.iteration] = failures.get(each.iteration, 0) + counts
        for number, record in newest.items():
            self._take_up(number, record, failures[number])
        between = (number for number in range(1, self._next) if number not in newest)  # copies stand behind them
        self._again += [(number, BegunItem(number, 1)) for number in between]
        heapify(self._again)

    def _take_up(self, number: int, record: AttemptRecord, failures: int) -> None:
        if number > len(self._items):
            recorded, now = f"a map of {number} items or more", f"one of {len(self._items)}"
            raise StepConflict(self._step.id, recorded=recorded, replayed=now)
        self._next = max(self._next, number + 1)
        if record.status is StepStatus.COMPLETED:
            self.completed += 1
            self.kept[number] = record.step_execution_id
        elif record.status is StepStatus.FAILED and not record.is_reopened:
            self.fail(FailedItem(number, record.error_type, record.error_message))
        elif record.status in (StepStatus.PENDING, StepStatus.WAITING):
            begun = BegunItem(number, record.attempt, failures, on_record=record.step_execution_id)
            waits = self.delayed if record.status is StepStatus.PENDING else self.asking
            waits.append((begun, record))
        else:
            heappush(self._again, (number, BegunItem(number, record.attempt + 1, failures)))

    @property
    def has_failed(self) -> bool:
        """Whether more items have failed than may."""
        return self._most_failures is not None and self.failed > self._most_failures

    @property
    def has_more(self) -> bool:
        """Whether something is still to begin."""
        return bool(self._again) or self._next <= len(self._items)

    @property
    def done(self) -> int:
        return self.completed + self.failed

    def begins(self) -> Iterator[BegunItem]:
        """What begins now, in the order of the items; each counts as running from here on."""
        while self.running < self._map.max_concurrency and not self.has_failed and self.problem is None:
            if self._again:
                _, begun = heappop(self._again)
            elif self._next <= len(self._items):
                begun = BegunItem(self._next, 1)
                self._next += 1
            else:
                return
            self.running += 1
            yield begun

    def again(self, begun: BegunItem) -> None:
        """An attempt that is to begin: its delay is over."""
        heappush(self._again, (begun.number, begun))

    def complete(self, number: int, scope: Scope, stored: JsonText) -> None:
        """An item has a result.

        Args:
            scope: before the map.
        """
        self.completed += 1
        self.collect(number, scope, stored)

    def collect(self, number: int, scope: Scope, stored: JsonText) -> None:
        """Take what an item contributes; too much of it is a ``problem``."""
        if not self._map.collects or self.problem is not None:
            return
        template = self._map.collect
        if template.json == "{result}":
            text = stored
        else:
            value = template.resolve_or_null(scope.of_item(self._items.item(number), orjson.loads(stored)))
            text = encode(value, f"what item {number} contributes", limit_bytes=2 * PAYLOAD_LIMIT_BYTES)
        self._collected[number - 1] = text
        self._collected_bytes += len(text) + 1
        if self._collected_bytes > PAYLOAD_LIMIT_BYTES:
            found = f"items: more than {PAYLOAD_LIMIT_BYTES // 2**20} MB of JSON"
            self.problem = StepError(self._step.id, f"{found}; collect less (map.collect), or false.")

    def fail(self, failed: FailedItem) -> None:
        """An item has failed for good."""
        self.failed += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(failed)

    def failure(self, error: BaseException | None = None) -> MapItemFailed:
        """Why the map fails.

        Args:
            error: of the item; None: it is on record alone.
        """
        last = self.errors[-1]
        what = (
            f"{last.error_type}: {last.error_message}"
            if error is None
            else f"{type(error).__name__}: {clean_text(error)}"
        )
        failed = MapItemFailed(self._step.id, last.number, self._items.key(last.number), what, failed=self.failed)
        failed.__cause__ = error
        return failed

    def result(self) -> JsonText:
        """What the map results in."""
        errors = [
            {
                "item": each.number,
                "key": self._items.key(each.number),
                "error_type": each.error_type,
                "error_message": each.error_message,
            }
            for each in sorted(self.errors, key=lambda each: each.number)
        ]
        facts: Mapping[str, Any] = {"count": len(self._items), "failed": self.failed, "errors": errors}
        text = encode(facts, "result of a map")
        if not self._map.collects:
            return text
        return JsonText(f'{{"items":[{",".join(each or "null" for each in self._collected)}],{text[1:]}')

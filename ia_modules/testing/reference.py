"""What running a pipeline means, told slowly: one run after the other, nothing remembered that can be looked up.

It is written from the pages about the format, not from the runner, so that the two can be held against each other. It
knows what random graphs are made of: conditions on fields, ``route``, ``ends``, ``merge``, loops and their limits,
``map``, and calls within steps. Whoever calls says what each step does in the end; attempts, times and processes do not
occur, nor do the words of errors.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

Data = Mapping[str, Any]


class RunKey(NamedTuple):
    """One iteration of one step."""

    step_id: str
    iteration: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A step run that failed for good."""

    error_type: str
    error_message: str = ""

    @property
    def result(self) -> dict[str, Any]:
        """The result where the flow goes on all the same."""
        return {"step_error": True, "error_message": self.error_message, "error_type": self.error_type}


@dataclass(frozen=True, slots=True)
class CodeRun:
    """Where code runs: in a step run, in an item of one, or in a call that one of these makes.

    Attributes:
        item: the number of the item, from 1; None: the step has no map.
        path: of the run, from the graph down: ``work#1/work#17``.
    """

    key: RunKey
    item: int | None
    path: str
    _inside: dict[str, Any] = field(repr=False)
    _numbers: Counter[str] = field(default_factory=Counter[str], repr=False)

    def of_item(self, number: int) -> "CodeRun":
        """Where the code runs for an item of a map that this step run is."""
        return CodeRun(self.key, number, f"{self.path}/{self.key.step_id}#{number}", self._inside)

    def call(self, name: str, function: "Callable[[CodeRun], Any | Failed]", key: str | None = None) -> Any | Failed:
        """What a call within gives; it is a run, by its name and its number of that name, or by its key."""
        self._numbers[name] += 1
        segment = f"{name}#{self._numbers[name]}" if key is None else f"{name}[{key}]#1"
        within = CodeRun(self.key, self.item, f"{self.path}/{segment}", self._inside)
        self._inside[within.path] = function(within)
        return self._inside[within.path]


Code = Callable[[CodeRun, Data], Any | Failed]
"""What a step run, or an item of one, does with its data in the end, after all attempts that it may make."""


@dataclass(frozen=True, slots=True)
class Run:
    """A step run. ``parents``: whose tokens it took, in the order of their paths; ``taken``: places of paths."""

    key: RunKey
    parents: tuple[RunKey, ...]
    result: Data
    succeeded: bool
    taken: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """How an execution ends.

    Attributes:
        runs: all step runs; where something ends the execution or fails it, those that any timing may have.
        output: where nothing does.
        endings: of each step run that may end the execution, the output then.
        failures: the step runs that may fail it. What is first, an ending or a failure, stands.
        inside: what each run within a step run gives, by its path: items, and what code calls. Of a map that fails,
            every item; those that any timing may have.
    """

    runs: Mapping[RunKey, Run]
    output: Data
    endings: Mapping[RunKey, Data]
    failures: Set[RunKey]
    inside: Mapping[str, Any | Failed]


def interpret(document: Data, input_data: Data, code: Code, *, most_runs: int = 10_000) -> Expected:
    """Run a pipeline file as it is written, as if what ends or fails the execution only ended its branch.

    Raises:
        AssertionError: it does not end.
    """
    execution = _Execution(document, input_data, code)
    while starts := execution.startable():
        begun = [(step_id, execution.take_tokens(step_id)) for step_id in starts]
        for step_id, parents in begun:
            execution.run(step_id, parents)
        assert len(execution.runs) < most_runs, f"more than {most_runs} step runs"
    endings = {run.key: execution.output_after(run) for run in execution.runs.values() if execution.ends(run)}
    return Expected(execution.runs, execution.output(), endings, execution.failures, execution.inside)


class _Execution:
    def __init__(self, document: Data, input_data: Data, code: Code) -> None:
        flow = document["flow"]
        self.steps: dict[str, Data] = {step["id"]: step for step in document["steps"]}
        self.place = {step_id: place for place, step_id in enumerate(self.steps)}
        self.paths: list[Data] = list(flow["paths"])
        self.route = flow.get("route", "all")
        self.loops: Data = document.get("loop_config", {})
        self.goes_on: bool = document.get("error_handling", {}).get("continue_on_error", False)
        self.rules: Data = document.get("merge", {})
        self.input_data = {each["name"]: each["default"] for each in document.get("parameters", ())} | dict(input_data)
        self.code = code
        self.inside: dict[str, Any | Failed] = {}
        self.runs: dict[RunKey, Run] = {}
        self.failures: set[RunKey] = set()
        self.tokens: dict[str, list[tuple[int, RunKey]]] = {flow["start_at"]: []}
        self.edges = {(path["from_step"], path["to_step"]) for path in self.paths if not _is_end(path["to_step"])}
        self.forward = self.edges - _closing(self.edges, flow["start_at"], self.place)

    # Tokens

    def startable(self) -> list[str]:
        """The steps that hold a token which no other token can reach any more; of a mere loop, its beginnings."""
        waits = {step_id: self._awaited(step_id, self.edges) for step_id in self.tokens}
        return [
            step_id
            for step_id, others in waits.items()
            if all(step_id in waits[other] for other in others) and not self._awaited(step_id, self.forward)
        ]

    def _awaited(self, step_id: str, edges: set[tuple[str, str]]) -> set[str]:
        """The other steps with tokens from which a way leads to the step."""
        return {other for other in self.tokens if other != step_id and step_id in _reached(other, edges)}

    def take_tokens(self, step_id: str) -> tuple[RunKey, ...]:
        parents = dict.fromkeys(key for _, key in sorted(self.tokens.pop(step_id)))
        return tuple(parents)

    def run(self, step_id: str, parents: tuple[RunKey, ...]) -> None:
        """Run a step, and put the tokens of the paths that are taken after it."""
        key = RunKey(step_id, 1 + sum(run.step_id == step_id for run in self.runs))
        result = self._result(key, parents)
        succeeded = not isinstance(result, Failed)
        stored = result.result if isinstance(result, Failed) else result
        self.runs[key] = Run(key, parents, stored, succeeded, ())
        if not succeeded and (not self.goes_on or key.iteration > self._limit(step_id) + 1):
            self.failures.add(key)
            return
        taken = tuple(self._taken(self.runs[key]))
        self.runs[key] = Run(key, parents, stored, succeeded, taken)
        for index in taken:
            if not _is_end(target := self.paths[index]["to_step"]):
                self.tokens.setdefault(target, []).append((index, key))

    def _result(self, key: RunKey, parents: tuple[RunKey, ...]) -> Data | Failed:
        if key.iteration > self._limit(key.step_id):
            return Failed("LoopLimitExceeded")
        if self._lost_update(parents):
            return Failed("LostUpdate")
        order, run = self._ancestors(parents), CodeRun(key, None, f"{key.step_id}#{key.iteration}", self.inside)
        has_map = "map" in self.steps[key.step_id]
        result = self._mapped(run, order) if has_map else self.code(run, self._state(order))
        if not isinstance(result, Failed) and not all(_fits(self._rule(name), value) for name, value in result.items()):
            return Failed("StepOutputError")
        return result

    def _limit(self, step_id: str) -> int:
        return self.steps[step_id].get("max_iterations", self.loops.get("max_iterations", 100))

    # Maps

    def _mapped(self, run: CodeRun, order: Iterable[RunKey]) -> Data | Failed:
        """What the code gives for each entry of the list, one after the other and all of them."""
        step = self.steps[run.key.step_id]
        items = _items_of(step["map"], self._known(order))
        if items is None:
            return Failed("StepInputError")
        results = [self._item(run.of_item(number), step, item) for number, item in enumerate(items, 1)]
        failures = {number: result for number, result in enumerate(results, 1) if isinstance(result, Failed)}
        if len(failures) > _allowed(step["map"].get("on_item_failure", "fail"), len(items)):
            return Failed("MapItemFailed")
        errors = [
            {"item": number, "key": items[number - 1]["run"]["key"], "error_type": failed.error_type}
            for number, failed in failures.items()
        ]
        facts: Data = {"count": len(items), "failed": len(failures), "errors": errors}
        collect = step["map"].get("collect", "{result}")
        if collect is False:
            return facts
        ended = zip(items, results, strict=True)
        return {"items": [_collected(collect, item, result) for item, result in ended], **facts}

    def _item(self, run: CodeRun, step: Data, item: Data) -> Any | Failed:
        """What the code gives for one entry: for its inputs; without them for the entry, in a mapping."""
        entry = item["item"]
        whole = cast(Data, entry) if isinstance(entry, dict) else {"item": entry}
        data = {name: _filled(value, item) for name, value in step.get("inputs", {}).items()} or whole
        is_missing = any(value is _NOTHING for value in data.values())
        self.inside[run.path] = Failed("StepInputError") if is_missing else self.code(run, data)
        return self.inside[run.path]

    def _known(self, order: Iterable[RunKey]) -> Data:
        """What placeholders read."""
        steps = {key.step_id: {"output": self.runs[key].result} for key in order}
        return {"parameters": self.input_data, "steps": steps}

    # Data

    def _ancestors(self, parents: Iterable[RunKey]) -> list[RunKey]:
        """The runs on the taken paths that led here, earlier iterations before later ones, else branch after branch."""
        among, order = self._ancestry(parents), list[RunKey]()

        def visit(key: RunKey) -> None:
            for before in (*self.runs[key].parents, RunKey(key.step_id, key.iteration - 1)):
                if before in among and before not in order:
                    visit(before)
            if key not in order:
                order.append(key)

        for parent in parents:
            visit(parent)
        return order

    def _ancestry(self, parents: Iterable[RunKey]) -> set[RunKey]:
        found, waiting = set[RunKey](), list(parents)
        while waiting:
            if (key := waiting.pop()) not in found:
                found.add(key)
                waiting += self.runs[key].parents
        return found

    def _state(self, order: Iterable[RunKey]) -> dict[str, Any]:
        """The input, and over it the results, one after the other."""
        state = dict(self.input_data)
        for key in order:
            for name, value in self.runs[key].result.items():
                state[name] = _folded(self._rule(name), state.get(name), value)
        return state

    def _rule(self, name: str) -> str:
        return self.rules.get(name, self.rules.get("*", "last"))

    def _lost_update(self, parents: Sequence[RunKey]) -> bool:
        """Whether two branches that join have written one key of the rule ``error``, each without the other.

        What a failure leaves is written by nobody.
        """
        branches = [{key for key in self._ancestry([parent]) if self.runs[key].succeeded} for parent in parents]
        written = [
            {name for key in branch - other for name in self.runs[key].result if self._rule(name) == "error"}
            & {name for key in other - branch for name in self.runs[key].result}
            for branch in branches
            for other in branches
        ]
        return any(written)

    def output(self) -> dict[str, Any]:
        """The output of an execution that nothing ended: all results, in causal order, then in file order."""
        left, order = dict(self.runs), list[RunKey]()
        while left:
            free = [key for key, run in left.items() if not {*run.parents, RunKey(key[0], key[1] - 1)} & left.keys()]
            order.append(min(free, key=lambda key: self.place[key.step_id]))
            del left[order[-1]]
        return self._output(order)

    def ends(self, run: Run) -> bool:
        return any(self.paths[index].get("ends") == "execution" for index in run.taken)

    def output_after(self, run: Run) -> dict[str, Any]:
        """The output where this run ends the execution: what it and its ancestors know."""
        return self._output(self._ancestors([run.key]))

    def _output(self, order: Iterable[RunKey]) -> dict[str, Any]:
        keys = list(order)
        return self._state(keys) | {key.step_id: self.runs[key].result for key in keys}

    # Paths

    def _taken(self, run: Run) -> Iterator[int]:
        """The paths that are taken after a run, by their places in the file."""
        leaving = [(index, path) for index, path in enumerate(self.paths) if path["from_step"] == run.key.step_id]
        known = _Reader(run, self._state(self._ancestors([run.key])), self._last_results(run))
        holding = [index for index, path in leaving if not _is_else(path) and known.holds(path.get("condition"))]
        holding = holding or [index for index, path in leaving if _is_else(path)]
        first_only = self.steps[run.key.step_id].get("route", self.route) == "first"
        yield from holding[:1] if first_only else holding

    def _last_results(self, run: Run) -> dict[str, Data]:
        return {key.step_id: self.runs[key].result for key in self._ancestors([run.key])}


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the conditions after a run can read."""

    run: Run
    state: Data
    results: Mapping[str, Data]

    def holds(self, condition: Any) -> bool:
        if condition in (None, "always") or isinstance(condition, str):
            return condition != "success" or self.run.succeeded
        match condition["type"]:
            case "all":
                return all(self.holds(each) for each in condition["conditions"])
            case "any":
                return any(self.holds(each) for each in condition["conditions"])
            case "not":
                return not self.holds(condition["condition"])
            case kind:
                operator = condition.get("operator", kind.removeprefix("field_"))
                return _compares(operator, self._read(condition["field"]), condition.get("value"))

    def _read(self, name: str) -> Any:
        root, _, rest = name.partition(".")
        if rest and root in self.results:
            return self.results[root].get(rest)
        if root == "result":
            return self.run.result.get(rest)
        if name == "run.iteration" and "run" not in self.state:
            return self.run.key.iteration
        found = self.state.get(root)
        return found if not rest else cast(Data, found).get(rest) if isinstance(found, dict) else None


def _compares(operator: str, found: Any, value: Any) -> bool:
    match operator:
        case "equals" | "==":
            return found == value
        case "exists":
            return found is not None
        case _ if not _is_number(found) or not _is_number(value):
            return False
        case "greater_than" | ">":
            return found > value
        case "less_than" | "<":
            return found < value
        case ">=":
            return found >= value
        case _:
            raise AssertionError(f"the reference does not know the operator {operator!r}")


def _fits(rule: str, value: Any) -> bool:
    """Whether a result may contribute this value."""
    match rule:
        case "extend":
            return isinstance(value, list)
        case "sum":
            return _is_number(value)
        case "update":
            return isinstance(value, dict)
        case _:
            return True


def _folded(rule: str, value: Any, contribution: Any) -> Any:
    """A key's value with one contribution more; ``value`` None: there is none yet."""
    match rule:
        case "append":
            return [*(value or []), contribution]
        case "extend":
            return [*(value or []), *contribution]
        case "sum":
            return (value or 0) + contribution
        case "update":
            return (value or {}) | contribution
        case _:
            return contribution


_NOTHING: Any = object()
"""Stands where a placeholder does not resolve."""

_PLACEHOLDER = re.compile(r"\{([\w.]+)\}")


def _filled(template: Any, known: Data, *, missing: Any = _NOTHING) -> Any:
    """JSON with the values of its placeholders, each a text of its own; ``missing``: where there is none."""
    if isinstance(template, dict):
        return {name: _filled(value, known, missing=missing) for name, value in cast(Data, template).items()}
    if isinstance(template, list):
        return [_filled(value, known, missing=missing) for value in cast("list[Any]", template)]
    if not isinstance(template, str) or (placeholder := _PLACEHOLDER.fullmatch(template)) is None:
        return template
    value: Any = known
    for name in placeholder[1].split("."):
        if not isinstance(value, dict) or name not in value:
            return missing
        value = cast(Data, value)[name]
    return value


def _items_of(rule: Data, known: Data) -> list[Data] | None:
    """What the placeholders of each item read; None: there is no list, or it has no keys that differ."""
    entries = _filled(rule["over"], known)
    if not isinstance(entries, list):
        return None
    items: list[Data] = []
    for index, entry in enumerate(cast("list[Any]", entries)):
        key = _filled(rule.get("key", index + 1), {**known, "item": entry, "run": {"index": index}})
        if key is _NOTHING:
            return None
        text = key if isinstance(key, str) else json.dumps(key, separators=(",", ":"))
        items.append({**known, "item": entry, "run": {"index": index, "key": text}})
    return items if len({item["run"]["key"] for item in items}) == len(items) else None


def _collected(collect: Any, item: Data, result: Any | Failed) -> Any:
    """What an item contributes; of one that failed, and where something does not resolve, null."""
    return None if isinstance(result, Failed) else _filled(collect, {**item, "result": result}, missing=None)


def _allowed(rule: Any, count: int) -> int:
    """How many of so many items may fail."""
    if isinstance(rule, str):
        return count if rule == "continue" else 0
    most = rule["at_most"]
    return int(float(most.rstrip("%")) * count / 100) if isinstance(most, str) else most


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_end(target: str) -> bool:
    return target == "end" or target.startswith("end_")


def _is_else(path: Data) -> bool:
    return path.get("condition") in ("else", "default")


def _reached(step_id: str, edges: set[tuple[str, str]]) -> set[str]:
    """All steps that a way leads to."""
    found, waiting = set[str](), [step_id]
    while waiting:
        at = waiting.pop()
        fresh = {target for source, target in edges if source == at} - found
        found |= fresh
        waiting += fresh
    return found


def _closing(edges: set[tuple[str, str]], start_at: str, place: Mapping[str, int]) -> set[tuple[str, str]]:
    """The edges that close a loop: they lead back to a step on the way from the start, each turn in file order."""
    closing, seen = set[tuple[str, str]](), set[str]()

    def go(step_id: str, way: tuple[str, ...]) -> None:
        seen.add(step_id)
        for target in sorted((target for source, target in edges if source == step_id), key=place.__getitem__):
            if target == step_id or target in way:
                closing.add((step_id, target))
            elif target not in seen:
                go(target, (*way, step_id))

    go(start_at, ())
    return closing

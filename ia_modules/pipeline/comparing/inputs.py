"""The inputs of aligned runs: what was stored, and the states, which are not stored but made of results."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ia_modules.errors import StepConflict
from ia_modules.models import StepExecutionRecord
from ia_modules.paths import GRAPH
from ia_modules.pipeline.comparing.alignment import RunAddress, Side, Sides, as_mapping
from ia_modules.pipeline.comparing.contrast import Contrast, Looking
from ia_modules.pipeline.comparing.difference import canonical
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.recorded import recorded_runs, state_of
from ia_modules.pipeline.results import Scopes
from ia_modules.pipeline.tokens import StepRunKey

_TextedResults = dict[StepRunKey, tuple[str, Mapping[str, Any]]]
"""Results that are at hand, each with its text."""

STATE_UNKNOWN = "Not compared: it is the state, made of results that are not all at hand."


class Inputs:
    """Asked for the runs that both executions have, in causal order, and told what each gave.

    A state is made of the input of the execution and the results of what led there. Where both were made of the same,
    it is the same; otherwise both are made again, as far as everything is at hand.
    """

    def __init__(self, sides: Sides, looking: Looking) -> None:
        self._sides, self._looking = sides, looking
        a, b = sides
        self._begins_alike = a.compared.input.is_same_as(b.compared.input) and _fold_alike(a, b)
        self._with_same_past: set[RunAddress] = set()
        self._leading_on_alike: set[RunAddress] = set()  # those of them that gave the same

    def note_output(self, address: RunAddress, *, same: bool) -> None:
        """Says what became of a run before those after it are asked for."""
        if same and address in self._with_same_past:
            self._leading_on_alike.add(address)

    def contrast(self, address: RunAddress) -> Contrast:
        """The inputs of a run."""
        if self._has_same_past(address):
            self._with_same_past.add(address)
        are_states = [_is_state(side.attempts[address][0]) for side in self._sides]
        (a, _), (b, _) = (side.contents(address) for side in self._sides)
        if not any(are_states):
            return self._looking.at_payloads(a, b)
        if all(are_states) and address in self._with_same_past and a.is_same_as(b):
            return Contrast(same=True)
        one, other = (self._made_again(number, address) for number in range(2))
        if one is None or other is None:
            return Contrast(same=None, note=STATE_UNKNOWN)
        return self._looking.at_values(*_where_they_differ(one, other))

    def _has_same_past(self, address: RunAddress) -> bool:
        a, b = (side.parents(address) for side in self._sides)
        return address.within == GRAPH and self._begins_alike and a == b and self._leading_on_alike.issuperset(a)

    @cached_property
    def _states(self) -> list["_States | None"]:
        """Of both executions; None: they cannot be known. Most comparisons need none."""
        return _states_of(self._sides)

    def _made_again(self, number: int, address: RunAddress) -> Mapping[str, Any] | None:
        """The input of a run, whole; None: it cannot be made."""
        side, states = self._sides[number], self._states[number]
        stored, _ = side.contents(address)
        if not stored.is_at_hand:
            return None
        if not _is_state(side.attempts[address][0]):
            return as_mapping(stored.value)
        state = None if states is None or address.within != GRAPH else states.before(address)
        return None if state is None else {**state, **as_mapping(stored.value)}


class _States:
    """The states that the runs of an execution were given, made again from its results."""

    def __init__(
        self,
        side: Side,
        graph: Graph,
        input_data: Mapping[str, Any],
        results: Mapping[StepRunKey, Mapping[str, Any]],
    ) -> None:
        """Raises StepConflict: the rows do not follow from the definition."""
        runs = recorded_runs(step.as_attempt() for step in side.compared.steps if step.within == GRAPH)
        self._state = state_of(graph, runs)
        self._scopes = Scopes(self._state, input_data, results)
        self._whole: set[StepRunKey] = set()  # runs whose results are at hand, with those of all before them
        for run in runs:
            if run.run.key in results and self._whole.issuperset(run.run.parents):
                self._whole.add(run.run.key)

    def before(self, address: RunAddress) -> Mapping[str, Any] | None:
        """None: it cannot be made."""
        parents = self._state.runs[StepRunKey(address.step_id, address.iteration)].parents
        return self._scopes.before(parents).state.to_dict() if self._whole.issuperset(parents) else None


def _states_of(sides: Sides) -> list[_States | None]:
    """What both gave alike is one object in both, so that it need not be compared again and again."""
    inputs = [side.compared.input for side in sides]
    values = [as_mapping(each.value) for each in inputs]
    if inputs[0].is_same_as(inputs[1]):
        values[1] = values[0]
    a, b = (_results_of(side) for side in sides)
    b |= {key: a[key] for key in a.keys() & b.keys() if a[key][0] == b[key][0]}
    return [_made_states(*each) for each in zip(sides, values, (a, b), strict=True)]


def _made_states(side: Side, input_data: Mapping[str, Any], results: _TextedResults) -> _States | None:
    if side.graph is None or not side.compared.input.is_at_hand or side.compared.more_steps:
        return None
    try:
        return _States(side, side.graph, input_data, {key: value for key, (_, value) in results.items()})
    except StepConflict:  # somebody else has changed rows; the rest can still be compared
        return None


def _results_of(side: Side) -> _TextedResults:
    results: _TextedResults = {}
    for address in side.attempts:
        value = side.contents(address)[1].value
        if address.within == GRAPH and side.paths(address) is not None and isinstance(value, dict):
            results[StepRunKey(address.step_id, address.iteration)] = (canonical(value), value)
    return results


def _where_they_differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of two states that are not one object in both: most are, as a state is most of the one before it."""
    shared = {key for key in a.keys() & b.keys() if a[key] is b[key]}
    one, other = ({key: value for key, value in each.items() if key not in shared} for each in (a, b))
    return one, other


def _fold_alike(a: Side, b: Side) -> bool:
    """Whether results are merged into the state by the same rules."""
    if a.definition is None or b.definition is None:
        return False
    return a.definition.folding_rules == b.definition.folding_rules


def _is_state(step: StepExecutionRecord) -> bool:
    return bool(as_mapping(step.input_refs).get("state"))

"""Runs a definition without running anything: whoever calls decides what happens next.

A step's result depends on everything that it saw, so that two timings agree only if every step saw the same.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from ia_modules.models import StepStatus
from ia_modules.pipeline.causality import causal_ancestors
from ia_modules.pipeline.document.conditions import FunctionCall, Verdict
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.results import Scopes, output_of, scope_before
from ia_modules.pipeline.routing import route, untaken
from ia_modules.pipeline.tokens import GraphState, Route, Start, StepRun, StepRunKey, ready

Choose = Callable[[int], int]
"""Picks one of so many things that may happen next."""


@dataclass
class Simulation:
    graph: Graph
    input_data: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    state: GraphState = field(init=False)
    results: dict[StepRunKey, dict[str, Any]] = field(default_factory=dict)
    scopes: Scopes = field(init=False)
    started: list[Start] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._remember([])

    def start(self, start: Start) -> None:
        self.started.append(start)
        self.state.record(StepRun(start.key, StepStatus.RUNNING, start.parents))

    def go_on(self, run: StepRun) -> None:
        """One transition of a run: some wait for a person in between, some fail and let the flow go on."""
        if run.status is StepStatus.RUNNING and self._draw(run.key, "waits") % 5 == 0:
            self.state.record(replace(run, status=StepStatus.WAITING))
        else:
            self.finish(run)

    def finish(self, run: StepRun) -> None:
        scope = self.scopes.before(run.parents)
        plain = scope_before(self.state, run.parents, self.input_data, self.results)
        assert scope == plain, "the scope laid over that of the first parent is the one computed from the records"
        assert (list(scope.state), list(scope.steps)) == (list(plain.state), list(plain.steps))
        fails = self._draw(run.key, "fails") % 7 == 0
        result = {"coin": self._draw(run.key, "coin") % 3, "iteration": run.key.iteration, "by": run.key.step_id}
        result[run.key.step_id] = _digest(json.dumps([dict(scope.state), dict(scope.steps)], sort_keys=True))
        if self.graph.definition.merge:
            ancestors = causal_ancestors(self.state, run.parents)
            self._check_folds(scope, ancestors)
            name = f"{run.key.step_id}#{run.key.iteration}"
            result |= {"log": name, "names": [name, "."], "cost": self._draw(run.key, "cost"), "facts": {name: 1}}
        self.results[run.key] = result
        after = scope.after(run.key.step_id, result, succeeded=not fails)
        routes = self._routes(run.key.step_id, after)
        status = StepStatus.FAILED if fails else StepStatus.COMPLETED
        self.state.record(replace(run, status=status, routes=routes))

    def _routes(self, step_id: str, after: Scope) -> tuple[Route, ...]:
        """Where a run leads; nowhere once another has ended the execution, as a runner records it."""
        if self.state.ended is not None:
            return untaken(self.graph, step_id, "another ended the execution")
        return route(self.graph, step_id, after, _no_function)

    def _check_folds(self, scope: Scope, ancestors: list[StepRunKey]) -> None:
        """Each ancestor has contributed once, in causal order, however many branches bring it."""
        assert set(ancestors) == _reached(self.state, ancestors)
        names = [f"{key.step_id}#{key.iteration}" for key in ancestors]
        folded = {
            "log": names,
            "names": [part for name in names for part in (name, ".")],
            "cost": sum(self._draw(key, "cost") for key in ancestors),
            "facts": dict.fromkeys(names, 1),
        }
        for key in folded.keys() & self.graph.definition.folding_rules.keys() if ancestors else ():
            assert scope.state[key] == folded[key]

    def crash(self) -> None:
        """The process dies: nothing but the record is left, and what ran is started again."""
        runs = [
            replace(run, status=StepStatus.LOST) if run.status is StepStatus.RUNNING else run
            for run in self.state.runs.values()
        ]
        self._remember(runs)
        for run in self.state.active():
            if run.status is StepStatus.LOST:
                self.state.record(replace(run, status=StepStatus.RUNNING))

    def step(self, choose: Choose) -> bool:
        """Let one thing happen; False when nothing can any more."""
        starts, active = ready(self.state), self.state.active()
        if not starts and not active:
            return False
        chosen = choose(bool(starts) + len(active))
        if chosen < bool(starts):
            for start in starts:  # all of them in one transition, as a runner records them
                self.start(start)
        else:
            self.go_on(active[chosen - bool(starts)])
        return True

    def run(self, choose: Choose) -> "Simulation":
        while self.step(choose):
            pass
        return self

    @property
    def outcome(self) -> tuple[dict[StepRunKey, StepRun], dict[StepRunKey, dict[str, Any]], dict[str, Any]]:
        """All that must not depend on timing: the step runs with parents and routes, their results, and the output."""
        return self.state.runs, self.results, output_of(self.state, self.input_data, self.results)[0]

    def _remember(self, runs: list[StepRun]) -> None:
        self.state = GraphState(self.graph, runs)
        self.scopes = Scopes(self.state, self.input_data, self.results)

    def _draw(self, key: StepRunKey, what: str) -> int:
        return int(_digest(f"{self.seed}/{what}/{key}"), 16)


def _reached(state: GraphState, runs: list[StepRunKey]) -> set[StepRunKey]:
    """These runs and all that led to them."""
    return set(runs).union(*(state.runs[key].parents for key in runs))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _no_function(call: FunctionCall) -> Verdict:
    raise AssertionError(f"no function in these graphs: {call}")

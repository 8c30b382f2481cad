"""What of a step stands still while its pipeline runs: computed when its first attempt begins, and then once."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from ia_modules.models import JsonText
from ia_modules.payload import encode
from ia_modules.pipeline.document.conditions import Always, Else, FunctionCall, Success, Verdict
from ia_modules.pipeline.document.definition import ErrorHandling, StepDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.reads import Reads, reads_of
from ia_modules.pipeline.recorded import routes_json
from ia_modules.pipeline.routing import functions_asked, route
from ia_modules.pipeline.tokens import Route


class StoredRoutes(NamedTuple):
    """Where a step run leads, and the same as it is stored."""

    routes: tuple[Route, ...]
    text: JsonText

    @classmethod
    def of(cls, routes: tuple[Route, ...]) -> "StoredRoutes":
        return cls(routes, encode(routes_json(routes), "routes"))


@dataclass(frozen=True, slots=True)
class StandingFacts:
    """What of a step does not depend on what has run.

    Attributes:
        handling: what follows a failure.
        reads: what it reads of what led to it.
        asks_functions: whether the conditions of its paths call functions.
        routes: where it leads once it has succeeded; None where conditions read something.
        is_in_loop: it may run more than once.
    """

    definition: StepDefinition
    handling: ErrorHandling
    reads: Reads
    asks_functions: bool
    routes: StoredRoutes | None
    is_in_loop: bool

    def with_handling(self, handling: ErrorHandling) -> "StandingFacts":
        """The same with another error handling."""
        return replace(self, handling=handling)


class FactsOfSteps(dict[str, StandingFacts]):
    """Those of the steps of a graph, each made when it is asked for first."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __missing__(self, step_id: str) -> StandingFacts:
        made = self[step_id] = standing_facts(self._graph, step_id)
        return made


def standing_facts(graph: Graph, step_id: str) -> StandingFacts:
    """Those of a step."""
    definition = graph.step(step_id)
    return StandingFacts(
        definition=definition,
        handling=graph.definition.error_handling_of(definition),
        reads=reads_of(graph, step_id),
        asks_functions=any(True for _ in functions_asked(graph, step_id)),
        routes=_standing_routes(graph, step_id),
        is_in_loop=graph.is_in_loop(step_id),
    )


def _standing_routes(graph: Graph, step_id: str) -> StoredRoutes | None:
    conditions = [path.condition for _, path in graph.paths_of(step_id)]
    if not all(isinstance(each, Always | Else | Success) for each in conditions):
        return None
    no_answers: dict[FunctionCall, Verdict] = {}
    return StoredRoutes.of(route(graph, step_id, Scope.of({}), no_answers.__getitem__))

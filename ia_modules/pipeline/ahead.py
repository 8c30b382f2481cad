"""What is ahead: the steps that a re-run or a resumed execution runs, or may, and what they do outside.

Only the paths that are taken say what runs in the end; what may be reached is named, so that nobody is surprised.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ia_modules.models import Effect, effect_text, may_have_effects
from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.kept_items import ItemsAhead
from ia_modules.pipeline.recorded import RecordedRun, state_of
from ia_modules.pipeline.repeating import Repeat
from ia_modules.pipeline.tokens import StepRunKey, ready


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEffect:
    """A step, and what it does outside, as its author says; ``effect`` None: not said, so it may have effects."""

    step_id: str
    step_name: str
    effect: Effect | None

    @property
    def effect_text(self) -> str:
        """The effect in words for people."""
        return effect_text(self.effect)

    @property
    def may_have_effects(self) -> bool:
        return may_have_effects(self.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAhead(StepEffect):
    """A step that runs, or may; ``runs``: how many of its runs on record are made again, 0 where there are none."""

    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a re-run or a resumed execution does.

    Attributes:
        kept: the step runs whose results it has from the beginning, each after its parents.
        begins: those that begin first.
        by_hand: the one whose result somebody gives, so that it does not run; None: there is none.
        asked_again: questions before the edited run that are asked again: their answers did not count for an edit.
        steps: what runs, or may, in file order.
        items: what becomes of the items of a step with a map, where only those that failed run; None: all of it runs.
    """

    kept: tuple[StepRunKey, ...] = ()
    begins: tuple[StepRunKey, ...] = ()
    by_hand: StepRunKey | None = None
    asked_again: tuple[StepRunKey, ...] = ()
    steps: tuple[StepAhead, ...] = ()
    items: ItemsAhead | None = None

    @property
    def with_effects(self) -> tuple[StepAhead, ...]:
        """The steps that are neither ``pure`` nor ``read``."""
        return tuple(step for step in self.steps if step.may_have_effects)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with the effects in words too."""
        return {
            "kept": [key._asdict() for key in self.kept],
            "begins": [key._asdict() for key in self.begins],
            "by_hand": None if self.by_hand is None else self.by_hand._asdict(),
            "asked_again": [key._asdict() for key in self.asked_again],
            "steps": [
                {
                    "step_id": step.step_id,
                    "step_name": step.step_name,
                    "effect": step.effect,
                    "effect_text": step.effect_text,
                    "may_have_effects": step.may_have_effects,
                    "runs": step.runs,
                }
                for step in self.steps
            ],
            "items": None if self.items is None else asdict(self.items),
        }


def ahead_of_whole(now: PipelineDefinition, runs: Iterable[RecordedRun]) -> Ahead:
    """What a re-run of all of it does; ``now``: the definition that is to run."""
    start = StepRunKey(now.flow.start_at, 1)
    return Ahead(begins=(start,), steps=_steps(now, (start,), (run.run.key for run in runs)))


def ahead_of_repeat(now: PipelineDefinition, repeat: Repeat, *, is_by_hand: bool = False) -> Ahead:
    """What a re-run from a step does.

    Args:
        now: the definition that is to run.
        is_by_hand: the result of the step run that it begins from is there, so that this one does not run.
    """
    by_hand = repeat.start if is_by_hand else None
    begins = tuple(start.key for start in repeat.begins)
    again = (key for key in repeat.again if key != by_hand)
    return Ahead(
        kept=tuple(kept.run.run.key for kept in repeat.kept),
        begins=begins,
        by_hand=by_hand,
        asked_again=repeat.asked_again,
        steps=_steps(now, begins, again, by_hand),
        items=repeat.items,
    )


def ahead_of_resume(definition: PipelineDefinition, runs: Sequence[RecordedRun]) -> Ahead:
    """What an execution that goes on does.

    Args:
        definition: what it began with.
        runs: all of it, as :func:`ia_modules.pipeline.recorded.recorded_runs` has them of one that is reopened.

    Raises:
        StepConflict: the runs do not follow from this definition.
    """
    state = state_of(Graph(definition), runs)
    again = [run.run.key for run in runs if not run.has_result]
    begins = (*again, *(start.key for start in ready(state)))
    kept = tuple(run.run.key for run in runs if run.has_result)
    held = (StepRunKey(step_id, 0) for step_id in state.holders())
    return Ahead(kept=kept, begins=begins, steps=_steps(definition, (*begins, *held), again))


def _steps(
    definition: PipelineDefinition,
    begins: Iterable[StepRunKey],
    again: Iterable[StepRunKey],
    by_hand: StepRunKey | None = None,
) -> tuple[StepAhead, ...]:
    graph, counts = Graph(definition), Counter(key.step_id for key in again)
    reached = 0
    for key in begins:
        reached |= graph.after(key.step_id) | (0 if key == by_hand else graph.mask([key.step_id]))
    return tuple(
        StepAhead(step_id=step.id, step_name=step.name, effect=step.known_effect, runs=counts[step.id])
        for place, step in enumerate(definition.steps)
        if reached >> place & 1
    )

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.document.graph import Graph
from tests.unit.pipeline.factories import task

STEPS = [f"s{number}" for number in range(8)]
ANY_STEP = st.sampled_from(STEPS)


@given(st.sets(st.tuples(ANY_STEP, ANY_STEP)))
def test_a_step_reaches_what_some_paths_in_a_row_lead_to(paths: set[tuple[str, str]]) -> None:
    written = [{"from": source, "to": target} for source, target in sorted(paths)]
    steps = [task(step_id) for step_id in STEPS]
    drawn = Graph(
        PipelineDefinition.model_validate(
            {"name": "any", "steps": steps, "flow": {"start_at": STEPS[0], "paths": written}}
        )
    )
    for step_id in STEPS:
        reached: set[str] = set()
        ahead = [target for source, target in paths if source == step_id]
        while ahead:
            if (step := ahead.pop()) not in reached:
                reached.add(step)
                ahead += [target for source, target in paths if source == step]
        assert drawn.after(step_id) == drawn.mask(reached)
        assert {other for other in STEPS if drawn.before(other) & drawn.mask([step_id])} == reached

"""What a step needs, and whether a node has it."""

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.engines.ray_amounts import has_all, in_words

AMOUNTS = st.dictionaries(st.sampled_from(["CPU", "GPU", "memory", "licence"]), st.floats(0, 1e9))


@given(AMOUNTS, AMOUNTS)
def test_a_node_has_all_when_it_has_enough_of_each(needed: dict[str, float], has: dict[str, float]) -> None:
    assert has_all(needed, has) == all(has.get(key, 0.0) >= amount for key, amount in needed.items())
    assert has_all(needed, needed)


def test_amounts_in_words() -> None:
    assert in_words({"CPU": 2.0, "GPU": 0.5, "memory": 2.5e9}) == "2 CPU, 0.5 GPU, 2.5 GB of memory"
    assert in_words({}) == "nothing"

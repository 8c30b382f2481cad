"""Mappings that are made of each other: each has its own content, whichever was read before it."""

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.layers import Layers

ENTRIES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(), max_size=3)
CHOICES = st.integers(0, 10_000)


@given(ENTRIES, st.lists(st.tuples(CHOICES, ENTRIES, CHOICES), max_size=40))
def test_each_mapping_is_the_dict_that_copying_makes(
    first: dict[str, int], steps: list[tuple[int, dict[str, int], int]]
) -> None:
    """A tree of mappings: one is made on top of any other, and any is read in between."""
    made = [(Layers(first), first)]
    for below, entries, read in steps:
        layers, plain = made[below % len(made)]
        made.append((layers.with_top(entries), plain | entries))
        layers, plain = made[read % len(made)]
        assert list(layers.items()) == list(plain.items()), "with the keys in the order of a dict"
    for layers, plain in made:
        assert layers == plain
        assert (layers.to_dict(), len(layers)) == (plain, len(plain))


def test_a_mapping_is_no_part_of_the_copy_that_it_gives() -> None:
    layers = Layers({"a": 1})
    layers.to_dict()["a"] = 2
    assert (layers["a"], "a" in layers, "b" in layers, layers.get("b")) == (1, True, False, None)


def test_a_long_chain_is_read_and_freed_without_a_deep_stack() -> None:
    layers: Layers[str, int] = Layers({})
    for number in range(100_000):
        layers = layers.with_top({f"key{number % 7}": number})
    assert layers.to_dict() == {f"key{number % 7}": number for number in range(99_995, 100_002)} | {
        f"key{number % 7}": number for number in range(99_993, 100_000)
    }
    del layers


def test_two_long_branches_are_read_in_turn_from_two_dicts() -> None:
    """Bringing one dict from branch to branch would take longer at each turn."""
    left = right = Layers({"start": 0})
    for number in range(2000):
        left, right = left.with_top({f"left{number}": 1}), right.with_top({f"right{number}": 1})
        assert (left[f"left{number}"], right[f"right{number}"]) == (1, 1)
    assert (len(left), len(right)) == (2001, 2001)

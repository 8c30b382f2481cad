"""The picture of a pipeline: every step once, every path, and nothing of its texts as markup."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from ia_modules.pipeline.document.definition import PipelineDefinition
from ia_modules.pipeline.drawing.picture import svg
from tests.unit.pipeline.drawing.test_diagram import PUBLISH, compare
from tests.unit.pipeline.factories import definition

SVG = "{http://www.w3.org/2000/svg}"


def drawn(pipeline: PipelineDefinition) -> ElementTree.Element:
    return ElementTree.fromstring(svg(pipeline))  # noqa: S314 - made here


def rows_of(picture: ElementTree.Element) -> dict[str, int]:
    """How far down each step stands, by its name."""
    return {
        group.findtext(f"{SVG}title") or "": int(group.find(f"{SVG}rect").attrib["y"])  # pyright: ignore[reportOptionalMemberAccess]
        for group in picture.iter(f"{SVG}g")
    }


def test_each_step_stands_below_what_leads_to_it() -> None:
    picture = drawn(PUBLISH)
    rows = rows_of(picture)
    assert rows["Fetch the pages"] < rows["score"] < rows["review"] < rows["decide"] < rows["fix"]
    assert rows["decide"] < rows["publish"]
    assert rows["end_empty"] == max(rows.values())
    assert "result.rows > 0" in "".join(picture.itertext())


def test_a_path_that_closes_a_loop_is_dashed() -> None:
    loop = definition("a", "b", paths=[("a", "b"), ("b", "a", compare("x", "==", 1))])
    dashed = [path for path in drawn(loop).iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    assert len(dashed) == 1
    assert rows_of(drawn(loop))["a"] < rows_of(drawn(loop))["b"]


def test_names_are_texts_and_long_ones_are_cut() -> None:
    name = "<script>alert(1)</script> " + "long " * 20
    pipeline = definition("a", "b", paths=[("a", "b")])
    changed = pipeline.model_copy(update={"steps": [each.model_copy(update={"name": name}) for each in pipeline.steps]})
    picture = svg(changed)
    assert "<script" not in picture
    [first, _] = [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - made here
    assert first.startswith("<script>alert(1)")
    assert first.endswith("…")


@given(st.data())
def test_every_step_and_every_path_is_in_the_picture_and_inside_of_it(data: st.DataObject) -> None:
    count = data.draw(st.integers(min_value=1, max_value=8))
    names = [f"s{number}" for number in range(count)]
    forward = {(data.draw(st.sampled_from(names[:number])), names[number]) for number in range(1, count)}
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=6))
    forward |= {(source, target) for source, target in pairs if source < target}
    back = {(source, target) for source, target in pairs if source >= target}
    paths = [*sorted(forward), *((source, target, compare("x", "==", 1)) for source, target in sorted(back))]
    pipeline = definition(*names, paths=paths)
    picture = drawn(pipeline)
    assert sorted(rows_of(picture)) == sorted(names)
    assert len(list(picture.iter(f"{SVG}path"))) == len(paths)
    width, height = int(picture.attrib["width"]), int(picture.attrib["height"])
    places = {
        (int(rect.attrib["x"]), int(rect.attrib["y"])): (int(rect.attrib["width"]), int(rect.attrib["height"]))
        for rect in picture.iter(f"{SVG}rect")
    }
    assert len(places) == count
    for (x, y), (wide, high) in places.items():
        assert x >= 0
        assert x + wide <= width
        assert y >= 0
        assert y + high <= height

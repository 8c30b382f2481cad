from pathlib import Path

from ia_modules.pipeline.offered_code import OfferedName, offered_code

SOURCE = '''
"""Steps."""
raise RuntimeError("imported")


class Charge:
    """Charges a card.

    And more.
    """


def score(data):
    return {}


async def _hidden(data): ...
'''


def test_what_lies_beside_the_file_and_what_is_allowed_is_read_and_not_imported(tmp_path: Path) -> None:
    folder, site = tmp_path / "project", tmp_path / "site"
    (folder / "parts").mkdir(parents=True)
    (site / "company" / "steps").mkdir(parents=True)
    for place in (folder / "own.py", folder / "parts" / "inner.py", site / "company" / "steps" / "cards.py"):
        place.write_text(SOURCE)
    for place in (folder / "parts", site / "company", site / "company" / "steps"):
        (place / "__init__.py").write_text("")
    (site / "single.py").write_text("def one(data): ...")
    (site / "other.py").write_text("def other(data): ...")
    (folder / "broken.py").write_text("def (")
    (folder / "_private.py").write_text(SOURCE)

    modules = offered_code(folder, ("company.steps.*", "single", "gone", "*", "sing*"), paths=[str(site)])
    assert [(each.name, each.is_beside) for each in modules] == [
        ("own", True),
        ("parts.inner", True),
        ("company.steps.cards", False),
        ("single", False),
    ]
    assert modules[0].names == (OfferedName("Charge", "Charges a card."), OfferedName("score", None))
    assert offered_code(tmp_path / "nowhere", ()) == []
    assert offered_code(None, ("ia_modules.version",)) == [], "a constant is no step"


RETURNS = """
import typing
from typing import TypedDict

class Scored(TypedDict):
    score: float
    parts: "list[float]"

class Judged(Scored, total=False):
    verdict: str

class Round(Round): ...

class Other(typing.TypedDict):
    one: int

def score(data) -> Scored: ...
async def judge(data) -> "Judged": ...
def other(data) -> dict: ...
def circle(data) -> Round: ...
@cached
def hidden(data) -> Scored: ...

class Judge(Step):
    async def run(self, data) -> Judged: ...
"""


def test_fields_of_a_result_are_those_of_the_typed_dict_that_is_returned(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(RETURNS)
    [module] = offered_code(tmp_path, ())
    assert {each.name: each.fields for each in module.names} == {
        "Round": (),
        "score": ("score", "parts"),
        "judge": ("score", "parts", "verdict"),
        "other": (),
        "circle": (),
        "hidden": (),
        "Judge": ("score", "parts", "verdict"),
    }


def test_our_own_steps_are_offered_with_their_fields() -> None:
    [module] = offered_code(None, ("ia_modules.steps",))
    assert {each.name: each.fields for each in module.names} == {
        "read_table": ("columns", "rows", "count"),
        "sum_up": ("groups", "count", "total"),
        "write_table": ("markdown",),
    }

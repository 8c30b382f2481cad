"""What can be read out of a contract without understanding it: its clauses, what it costs, and where to look twice."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CLAUSE = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_YEARLY_FEE = re.compile(r"EUR ([\d,]+) a year")
_RISE, _PAYMENT = re.compile(r"raise the fees by\s+up to (\d+) %"), re.compile(r"within (\d+) days")
_MOST_RISE_PERCENT, _LEAST_DAYS = 5, 30


@dataclass(frozen=True, slots=True)
class Clause:
    number: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Concern:
    """A clause that somebody must decide about, and why."""

    clause: Clause
    why: str


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as it was read.

    Attributes:
        sha256: of the file's bytes: what is decided is decided about these.
        yearly_fee_eur: None: it names none.
    """

    path: Path
    sha256: str
    title: str
    yearly_fee_eur: int | None
    clauses: tuple[Clause, ...]


def read_contract(path: Path) -> Contract:
    """Read a contract in Markdown, whose clauses are headings such as ``## 3. Fees``.

    Raises:
        ValueError: it has no clauses.
    """
    content = path.read_bytes()
    text = content.decode("utf-8")
    marks = list(_CLAUSE.finditer(text))
    if not marks:
        raise ValueError(f"{path} has no clauses: headings such as '## 3. Fees' were expected")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    title, fee = _TITLE.search(text), _YEARLY_FEE.search(text)
    return Contract(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        title=title[1] if title else path.stem,
        yearly_fee_eur=int(fee[1].replace(",", "")) if fee else None,
        clauses=tuple(
            Clause(int(mark[1]), mark[2].strip(), " ".join(text[mark.end() : end].split()))
            for mark, end in zip(marks, ends, strict=True)
        ),
    )


def concerns(contract: Contract) -> list[Concern]:
    """Where to look twice, in the order of the clauses."""
    return [Concern(clause, why) for clause in contract.clauses for why in _concerns_of(clause.text)]


def _concerns_of(text: str) -> Iterator[str]:
    if "renews automatically" in text:
        yield "it goes on by itself unless somebody ends it in time"
    if (days := _PAYMENT.search(text)) and int(days[1]) < _LEAST_DAYS:
        yield f"it must be paid within {days[1]} days; {_LEAST_DAYS} are usual"
    if (rise := _RISE.search(text)) and int(rise[1]) > _MOST_RISE_PERCENT:
        yield f"it may become {rise[1]} % dearer a year; {_MOST_RISE_PERCENT} % are usual"
    if "outside the European Union" in text:
        yield "personal data may leave the European Union"
    if "without limit" in text:
        yield "somebody is liable without limit"

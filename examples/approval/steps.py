"""Have a contract approved: read it, ask those who decide, and put on record what they decided about which text."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import contract

from ia_modules.pipeline.core import Step


class DocumentChanged(Exception):
    """The document is not the one any more that was decided about."""


class ReadContract(Step):
    """Find the contract, and where to look twice in it. Its hash says later whether it is still the same."""

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        found = await asyncio.to_thread(_find, self.config["document"])
        concerns = contract.concerns(found)
        self.context.log(f"{len(found.clauses)} clauses, {len(concerns)} to look at", sha256=found.sha256)
        return {
            "document": str(found.path),
            "sha256": found.sha256,
            "title": found.title,
            "yearly_fee_eur": found.yearly_fee_eur,
            "concerns": [
                {"clause": f"{each.clause.number}. {each.clause.title}", "why": each.why, "text": each.clause.text}
                for each in concerns
            ],
        }


def _find(named: str) -> contract.Contract:
    return contract.read_contract(Path(named or Path(__file__).with_name("contract.md")).resolve())


class AskForDecision(Step):
    """Pauses: its result is the question, with the contract beside it for the people who decide.

    Who they are, how many must agree and until when stands in the pipeline file.
    """

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "status": "human_input_required",
            "prompt": _prompt(data["contract"], self.config.get("because", "")),
            "contract": data["contract"],
        }


def _prompt(read: dict[str, Any], because: str) -> str:
    """The question in Markdown."""
    fee = "" if read["yearly_fee_eur"] is None else f", EUR {read['yearly_fee_eur']:,} a year"
    heads = [f"Approve the **{read['title']}**{fee}?"]
    if because:
        heads.insert(0, because)
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in read["concerns"]:
        reasons.setdefault((each["clause"], each["text"]), []).append(each["why"])
    clauses = [f"- **{clause}**: {'; '.join(why)}.\n  > {text}" for (clause, text), why in reasons.items()]
    return "\n\n".join([*heads, "\n".join(clauses) or "Nothing in it is unusual."])


def tally(data: dict[str, Any]) -> dict[str, Any]:
    """Who decided what. An answer of nobody is the one that counts when the time is over."""
    answers: list[dict[str, Any]] = data["answers"]
    votes = Counter(each["response"]["decision"] for each in answers)
    [(decision, _)] = votes.most_common(1)
    names = [(each["actor"] or "the deadline", each["response"]) for each in answers]
    return {
        "decision": decision,
        "by": [name for name, response in names if response["decision"] == decision],
        "against": [name for name, response in names if response["decision"] != decision],
        "comments": {name: response["comment"] for name, response in names if response.get("comment")},
    }


class RecordApproval(Step):
    """Write down which text was approved, by whom; refused where the text is another one by now.

    Trying it again writes the same file once more.
    """

    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        read, decided = data["contract"], data["decided"]
        now = await asyncio.to_thread(contract.read_contract, Path(read["document"]))
        if now.sha256 != read["sha256"]:
            raise DocumentChanged(
                f"{read['document']} has changed since it was read; found {now.sha256[:12]}, expected "
                f"{read['sha256'][:12]}. Have it approved anew: start another execution."
            )
        record = {"document": now.path.name, "sha256": now.sha256, "approved_by": decided["by"]}
        if not self.config["register"]:
            return {"record": record, "record_file": None}
        path = await asyncio.to_thread(_write, record, Path(self.config["register"]), f"{now.path.stem}.approval.json")
        self.context.log(f"the approval stands in {path}")
        return {"record": record, "record_file": str(path)}


def _write(record: dict[str, Any], folder: Path, name: str) -> Path:
    """All of it, or nothing; returns where it stands."""
    path = folder.resolve() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


def decline(data: dict[str, Any]) -> dict[str, Any]:
    """Nothing is written: who decided is on record at the question."""
    return {"record": None, "record_file": None}

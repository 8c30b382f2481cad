"""What is wrong with an answer, and questions to people that are not open any more."""

from collections.abc import Sequence
from datetime import datetime

from ia_modules.errors.base import InvalidArgument, TrackerError
from ia_modules.errors.documents import Problem, listed


class InvalidAnswer(InvalidArgument):
    """An answer is not what its question asks for, or not from one who may give it; nothing was stored.

    Attributes:
        interaction_id: the question.
        problems: at least one; ``where`` is ``response`` and the path in it, or ``actor``.
    """

    def __init__(self, interaction_id: str, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.where, first.found, f"{first.expected}{' ' if first.hint else ''}{first.hint}")
        self.args = (listed(f"The answer to interaction {interaction_id!r} was not taken:", problems),)
        self.interaction_id, self.problems = interaction_id, tuple(problems)


class QuestionsDiffer(InvalidArgument):
    """One answer was given to many questions, which are not of the same pipeline, version, step and schema.

    Attributes:
        interaction_id: one that is not like the first.
    """

    def __init__(self, interaction_id: str, differs_in: str) -> None:
        expected = "questions of the same pipeline, version, step and schema. Answer that one by itself"
        super().__init__("interaction_ids", f"{interaction_id!r}, which has another {differs_in}", expected)
        self.interaction_id = interaction_id


class InteractionNotFound(TrackerError):
    """No question to a person has this id."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(
            f"No interaction has the id {interaction_id!r}; expected one of a step that waits for a person."
        )
        self.interaction_id = interaction_id


class AlreadyAnswered(TrackerError):
    """The question is not open any more.

    Attributes:
        status: ``answered``, ``expired`` or ``cancelled``.
        actor: the person whose answer decided it; None: nobody's did.
        closed_at: since when; None where that is not known.
    """

    def __init__(
        self, interaction_id: str, *, status: str, actor: str | None, closed_at: datetime | None = None
    ) -> None:
        by = f" by {actor}" if actor else ""
        since = "" if closed_at is None else f", since {closed_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(f"Interaction {interaction_id!r} is already {status}{by}{since}; nothing of it was changed.")
        self.interaction_id, self.status, self.actor, self.closed_at = interaction_id, status, actor, closed_at


class TooFewUsers(TrackerError):
    """Those that a question is to be assigned to could never decide it; nothing was changed."""

    def __init__(self, interaction_id: str, found: str, expected: str) -> None:
        super().__init__(f"Interaction {interaction_id!r} cannot be assigned to {found}; expected {expected}.")
        self.interaction_id = interaction_id


class AnsweredInTime(TrackerError):
    """An answer came before it was on record that the time of its question is over: it counts."""

    def __init__(self, interaction_id: str) -> None:
        super().__init__(f"Interaction {interaction_id!r} has been answered, and cannot expire. Take the answer.")
        self.interaction_id = interaction_id

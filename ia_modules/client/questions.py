"""The verbs for questions to people."""

from collections.abc import Iterable

from ia_modules.client.base import ClientBase
from ia_modules.errors import (
    AlreadyAnswered,
    InteractionNotFound,
    InvalidAnswer,
)
from ia_modules.models import (
    ExecutionId,
    InteractionWithInput,
    Json,
)
from ia_modules.pipeline.answers import problems_of_answer, refuse_unlike
from ia_modules.tracker.audit import deed_detail
from ia_modules.tracker.bulk import (
    AnsweredEach,
    RefusedAnswer,
    key_of_each,
)
from ia_modules.tracker.inbox import InteractionCount, InteractionFilters, InteractionPage, Person


class QuestionVerbs(ClientBase):
    """Find questions, answer and assign them."""

    async def interactions(
        self, filters: InteractionFilters | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> InteractionPage:
        """A page of questions to people, newest first; as :meth:`ExecutionReader.list_interactions`."""
        return await self.tracker.list_interactions(filters, cursor, limit)

    async def open_interactions(self, answerable_by: Person | None = None) -> InteractionCount:
        """How many questions are open; as :meth:`ExecutionReader.count_open_interactions`."""
        return await self.tracker.count_open_interactions(answerable_by)

    async def interaction(self, interaction_id: str) -> InteractionWithInput:
        """One question, with what led to it and what was answered. Raises InteractionNotFound."""
        question = await self.tracker.get_interaction(interaction_id)
        if question is None:
            raise InteractionNotFound(interaction_id)
        return question

    async def answer(
        self,
        interaction_id: str,
        response: Json,
        *,
        idempotency_key: str | None = None,
        actor: str | None = None,
        role: str | None = None,
        verified: bool = False,
    ) -> ExecutionId:
        """Keep a person's answer; an execution that waited for people only goes on when that decides it.

        It is checked before anything is stored. The same answer by the same person again changes nothing, also when the
        question is not open any more. Another one, while it is, is kept beside the first, and counts.

        Args:
            idempotency_key: names the request: sent again, it changes nothing and is no error, whatever was answered
                since.
            actor: who answers; None: the client's own, where the question is assigned to nobody and takes one answer.
            role: which role they have; None: not known, and not held against what the question is assigned to.
            verified: the name is that of a key; otherwise it is on record as not verified.

        Returns:
            The id of its execution.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; says who answered, and when.
            InvalidAnswer: it is not what the question asks for, or not from one who may answer.
            PayloadError: the answer is not JSON.
        """
        question = await self.interaction(interaction_id)
        if await self._is_done("interaction.answer", question.interaction_id, idempotency_key):
            return question.execution_id
        if question.status == "pending" and (
            problems := problems_of_answer(question, response, actor=actor, role=role)
        ):
            raise InvalidAnswer(interaction_id, problems)
        deed = self._deed(actor, "interaction.answer", deed_detail(None, idempotency_key) or None)
        try:
            return await self.tracker.answer_interaction(
                interaction_id, response, actor=actor or self._actor, verified=verified, deed=deed
            )
        except AlreadyAnswered as late:
            raise await self._with_time(late) from None

    async def answer_each(
        self,
        interaction_ids: Iterable[str],
        response: Json,
        *,
        idempotency_key: str | None = None,
        actor: str | None = None,
        role: str | None = None,
        verified: bool = False,
    ) -> AnsweredEach:
        """Give the same answer to many questions that are alike, each by itself.

        Args:
            interaction_ids: of the same pipeline, version, step and schema.
            idempotency_key, actor, role, verified: as in :meth:`answer`.

        Returns:
            How many have it, and those that were left: answered meanwhile, or assigned to others.

        Raises:
            InteractionNotFound, QuestionsDiffer, InvalidAnswer: nothing was stored.
            DatabaseError: it went away in between; what was answered is on record.
        """
        ids = list(dict.fromkeys(interaction_ids))
        questions = [await self.interaction(interaction_id) for interaction_id in ids]
        refuse_unlike(questions)
        for question in questions:
            problems = problems_of_answer(question, response, actor=actor, role=role)
            if of_all := [problem for problem in problems if actor is None or problem.where != "actor"]:
                raise InvalidAnswer(question.interaction_id, of_all)
        refused: list[RefusedAnswer] = []
        for interaction_id in ids:
            key = None if idempotency_key is None else key_of_each(idempotency_key, interaction_id)
            try:
                await self.answer(
                    interaction_id, response, idempotency_key=key, actor=actor, role=role, verified=verified
                )
            except (AlreadyAnswered, InvalidAnswer) as error:
                late = error if isinstance(error, AlreadyAnswered) else None
                refused.append(
                    RefusedAnswer(
                        interaction_id=interaction_id,
                        reason=str(error),
                        actor=late and late.actor,
                        closed_at=late and late.closed_at,
                    )
                )
        return AnsweredEach(done=len(ids) - len(refused), refused=refused)

    async def assign(
        self,
        interaction_id: str,
        users: Iterable[str],
        *,
        idempotency_key: str | None = None,
        actor: str | None = None,
    ) -> InteractionWithInput:
        """Let others answer a question, by name; nobody: it is assigned to nobody by name. Returns it as it is then.

        What was answered stays, and where that is enough now, it is decided.

        Args:
            idempotency_key: names the request: sent again, it changes nothing and is no error, whoever was asked since.

        Raises:
            InteractionNotFound
            AlreadyAnswered: it is not open any more; says who answered, and when.
            TooFewUsers: they could never decide it.
            PayloadError: a name cannot be stored.
        """
        names = list(users)
        question = await self.interaction(interaction_id)
        if await self._is_done("interaction.assign", question.interaction_id, idempotency_key):
            return question
        detail = {"assigned_users": names, **deed_detail(None, idempotency_key)}
        deed = self._deed(actor, "interaction.assign", detail)
        try:
            await self.tracker.assign_interaction(interaction_id, names, actor=actor or self._actor, deed=deed)
        except AlreadyAnswered as late:
            raise await self._with_time(late) from None
        return await self.interaction(interaction_id)

    async def _with_time(self, late: AlreadyAnswered) -> AlreadyAnswered:
        """The error with the time, which is not known where both came at once."""
        if late.closed_at is not None:
            return late
        question = await self.interaction(late.interaction_id)
        return AlreadyAnswered(
            late.interaction_id, status=question.status, actor=question.actor, closed_at=question.completed_at
        )

"""What does not fit the records: pipelines and their versions, executions, who owns them, and their second chances."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from ia_modules.errors.base import PipelineError, TrackerError


class PipelineNotFound(TrackerError):
    """No pipeline has this id, or this slug."""

    def __init__(self, pipeline_id: str) -> None:
        super().__init__(
            f"No pipeline has the id {pipeline_id!r}. Register it first; those there are: ia-modules pipelines list."
        )
        self.pipeline_id = pipeline_id


class PipelineConflict(TrackerError):
    """The slug already stands for another definition; ``new_version=True`` stores this one as its next version."""

    def __init__(self, slug: str, current_version: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} exists with another definition (version {current_version}). "
            "Store this one as its next version, or choose another slug."
        )
        self.slug, self.current_version = slug, current_version


class StaleVersion(TrackerError):
    """Somebody else stored a version meanwhile; nothing was stored.

    Attributes:
        base_version: the version that the new one was made from.
        current_version: the one that is current now; None = none.
    """

    def __init__(self, slug: str, *, base_version: int, current_version: int | None) -> None:
        now = "has no version" if current_version is None else f"is at version {current_version}"
        super().__init__(
            f"Pipeline {slug!r} {now}, not at version {base_version} that this one was made from. "
            "Look at what has changed, and store it again on top of that."
        )
        self.slug, self.base_version, self.current_version = slug, base_version, current_version


class PipelineVersionNotFound(TrackerError):
    """The pipeline has no such version; ``version`` None: it has no definition at all."""

    def __init__(self, slug: str, version: int | None) -> None:
        found = "no definition" if version is None else f"no version {version}"
        super().__init__(f"Pipeline {slug!r} has {found}. Choose one of the versions that it has.")
        self.slug, self.version = slug, version


class SlugMismatch(TrackerError):
    """A new version names another pipeline."""

    def __init__(self, slug: str, found: str) -> None:
        super().__init__(f"The definition has the slug {found!r}; expected {slug!r}. A slug is never changed.")
        self.slug, self.found = slug, found


class PipelineArchived(TrackerError):
    """An archived pipeline starts no more executions."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"Pipeline {slug!r} is archived. Store a version, an old one too, and it is active again.")
        self.slug = slug


class PipelineNotRunnable(TrackerError):
    """There is no definition that could be run."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"Pipeline {slug!r} has no definition on record for this: another program runs it. "
            "Start it there, or store a definition first."
        )
        self.slug = slug


class PipelineInUse(TrackerError):
    """Executions of the pipeline have not ended, or are pinned: it is not deleted."""

    def __init__(self, slug: str, *, active: int, pinned: int = 0) -> None:
        found = f"{active} executions that have not ended" if active else f"{pinned} pinned executions"
        advice = "Cancel them first, or archive" if active else "Archive"
        super().__init__(f"Pipeline {slug!r} has {found}. {advice} the pipeline: that keeps its history.")
        self.slug, self.active, self.pinned = slug, active, pinned


class PipelineHasHistory(TrackerError):
    """The pipeline has executions, and its history was not to be deleted with it."""

    def __init__(self, slug: str, executions: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} has {executions} executions on record. "
            "Delete it with its history, or archive it: that keeps its history."
        )
        self.slug, self.executions = slug, executions


class ExecutionNotFound(TrackerError):
    """No execution has this id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"No execution has the id {execution_id!r}. List what there is: ia-modules executions list.")
        self.execution_id = execution_id


class ExecutionIdConflict(TrackerError, PipelineError):
    """A caller's id of an execution stands for another request; nothing was started.

    Attributes:
        alias: the caller's id.
        execution_id: the execution that has it.
    """

    def __init__(self, alias: str, *, execution_id: str, found: str, advice: str) -> None:
        super().__init__(f"The execution id {alias!r} {found}. {advice}")
        self.alias, self.execution_id = alias, execution_id


class AlreadyStarted(TrackerError):
    """A caller's id stands for an execution that was started before, with the same input; no second one was.

    Attributes:
        alias: the caller's id.
        execution_id: the execution that has it.
        status: as it stood.
    """

    def __init__(self, alias: str, *, execution_id: str, status: str) -> None:
        super().__init__(
            f"The execution id {alias!r} stands for execution {execution_id!r}, which is {status}. "
            "Wait for that one, or run() it, which does; resume=True goes on with one that failed or was cancelled."
        )
        self.alias, self.execution_id, self.status = alias, execution_id, status


class ExecutionKept(TrackerError):
    """The execution has not ended, or is pinned: it is not deleted."""

    def __init__(self, execution_id: str, *, status: str, pinned: bool) -> None:
        why = "is pinned, so that it is kept" if pinned else f"is {status}: cancel it first"
        super().__init__(f"Execution {execution_id!r} {why}. It was not deleted.")
        self.execution_id, self.status, self.pinned = execution_id, status, pinned


class NothingToCompareWith(TrackerError):
    """No execution of the same pipeline completed before this one."""

    def __init__(self, execution_id: str, pipeline_name: str) -> None:
        super().__init__(
            f"No execution of {pipeline_name!r} completed before {execution_id!r}. Name another one to compare it with."
        )
        self.execution_id, self.pipeline_name = execution_id, pipeline_name


class StepExecutionNotFound(TrackerError):
    """No step execution has this id."""

    def __init__(self, step_execution_id: str) -> None:
        super().__init__(
            f"No step execution has the id {step_execution_id!r}; expected the id of a step execution that was started."
        )
        self.step_execution_id = step_execution_id


class LeaseLost(TrackerError):
    """Another process owns the execution now, or this one owns it anew; nothing was written.

    Attributes:
        owner: the owner of the execution; None: it has none.
        epoch: how often the execution has been claimed.
    """

    def __init__(self, execution_id: str, *, owner: str | None, epoch: int, writer: str) -> None:
        holder = f"belongs to {owner!r}" if owner else "belongs to nobody"
        super().__init__(
            f"Execution {execution_id!r} {holder} (epoch {epoch}), not to the writer {writer!r}: nothing was written. "
            "Stop working on it. If the other process is gone, take the execution over."
        )
        self.execution_id, self.owner, self.epoch = execution_id, owner, epoch


class RunsElsewhere(TrackerError):
    """An attempt of the execution runs on a Ray cluster that this process is not joined to; nothing was changed.

    Attributes:
        step_id: of the attempt.
        cluster: the identity of the cluster.
        joined: that of the one that this process is joined to; None: it is joined to none.
    """

    def __init__(self, execution_id: str, *, step_id: str, cluster: str, joined: str | None) -> None:
        here = "none" if joined is None else repr(joined)
        super().__init__(
            f"An attempt of step {step_id!r} of execution {execution_id!r} runs on Ray cluster {cluster!r}. This "
            f"process is joined to {here} and cannot ask there. Run a worker with --ray that is joined to that one, or "
            f"go on without that attempt: ia-modules executions resume {execution_id} --give-up-remote"
        )
        self.execution_id, self.step_id, self.cluster, self.joined = execution_id, step_id, cluster, joined


class AlreadyFinished(TrackerError):
    """A terminal status stands and is never rewritten.

    Attributes:
        what: ``execution`` or ``step execution``.
        status: the status that stands.
        wanted: the status that came too late, or what was to be done.
        ended_at: when it ended; None where that is not known.
    """

    def __init__(
        self, what: str, identifier: str, *, status: str, wanted: str, ended_at: datetime | None = None
    ) -> None:
        since = "" if ended_at is None else f", since {ended_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(f"The {what} {identifier!r} is already {status}{since}; it cannot become {wanted}.")
        self.what, self.identifier, self.status, self.wanted, self.ended_at = what, identifier, status, wanted, ended_at


class InvalidTransition(TrackerError):
    """This status cannot follow the current one."""

    def __init__(self, what: str, identifier: str, *, status: str, wanted: str, allowed: Iterable[str]) -> None:
        super().__init__(
            f"The {what} {identifier!r} is {status} and cannot become {wanted}; expected one of: {', '.join(allowed)}."
        )
        self.what, self.identifier, self.status, self.wanted = what, identifier, status, wanted


class IdempotencyConflict(TrackerError):
    """The key of a request already stands for another one; nothing was queued.

    Attributes:
        execution_id: the execution of the first request.
    """

    def __init__(self, key: str, *, execution_id: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was used for another request, whose execution is {execution_id!r}. "
            "Send the same request again, or give this one a key of its own."
        )
        self.key, self.execution_id = key, execution_id


class FailureGroupNotFound(TrackerError):
    """No pipeline has failed so."""

    def __init__(self, failure_id: str) -> None:
        super().__init__(
            f"No failures are known as {failure_id!r}; expected the id of a group, such as nightly.0f3a9c2b7d4e1856: "
            "ia-modules failures list"
        )
        self.failure_id = failure_id


class StepConflict(TrackerError, PipelineError):
    """The recorded step is not the one being recorded now."""

    def __init__(self, step_id: str, *, recorded: str, replayed: str) -> None:
        found = f"Step {step_id!r} was recorded as {recorded} but now comes as {replayed}."
        super().__init__(f"{found} Continue the execution with the version of the program that started it.")
        self.step_id, self.recorded, self.replayed = step_id, recorded, replayed


class InnerStepConflict(StepConflict):
    """A call within a step was recorded for other arguments than it comes with now."""

    def __init__(self, step_id: str) -> None:
        """``step_id``: its name and number."""
        super().__init__(step_id, recorded="called with other arguments", replayed="called with these")
        found = f"{step_id} was recorded for other arguments than it is called with now."
        what_to_do = "Give it a key (Inner(name, key=…)) where the order of such calls changes; where the code has"
        self.args = (f"{found} {what_to_do} changed, start a new execution.",)


class RerunRefused(TrackerError):
    """What a re-run would copy does not fit the version that is to run; nothing was recorded.

    Attributes:
        problems: what does not fit, by step.
        fits_from: the earliest step from which a re-run would fit; None: only a re-run of all of it does.
    """

    def __init__(self, problems: Mapping[str, str], *, fits_from: str | None) -> None:
        found = "; ".join(f"step {step_id!r} {problem}" for step_id, problem in problems.items())
        where = (
            "whole, without a step to begin from" if fits_from is None else f"from step {fits_from!r} or an earlier one"
        )
        super().__init__(f"The version does not fit what would be copied: {found}. Run it again {where}.")
        self.problems, self.fits_from = dict(problems), fits_from


class AlreadyRepeated(TrackerError):
    """An execution was not run again, since a re-run of it, or of one of its re-runs, goes on or has completed.

    Attributes:
        rerun_id: the newest such re-run.
        status: as it stood.
    """

    def __init__(self, execution_id: str, *, rerun_id: str, status: str) -> None:
        found = f"Execution {execution_id!r} is repeated already: {rerun_id!r} is {status}."
        super().__init__(f"{found} To run it again all the same, name it by its id.")
        self.execution_id, self.rerun_id, self.status = execution_id, rerun_id, status


class AlreadyResumed(TrackerError):
    """The execution has not ended: it goes on already, so it was not resumed once more.

    Attributes:
        status: as it stood.
        actor: who resumed it last; None: nobody has.
        resumed_at: when that was.
    """

    def __init__(
        self, execution_id: str, *, status: str, actor: str | None = None, resumed_at: datetime | None = None
    ) -> None:
        when = "" if resumed_at is None else f" at {resumed_at:%Y-%m-%d %H:%M:%S} UTC"
        since = "" if actor is None else f" {actor} resumed it{when}."
        super().__init__(f"Execution {execution_id!r} is {status}: there is nothing to resume.{since}")
        self.execution_id, self.status, self.actor, self.resumed_at = execution_id, status, actor, resumed_at


class CodeNotFound(TrackerError):
    """Workers with this server's code folders cannot run a version: they would not find its code."""

    def __init__(self, pipeline: str, version: int, *, execution_id: str) -> None:
        super().__init__(
            f"The code of pipeline {pipeline!r}, version {version}, is not where workers may take code from. Name its "
            f"folder with --pipelines or its modules with --allow, or go on in its own program: "
            f"ia-modules executions resume {execution_id} --code MODULE:FLOW"
        )
        self.pipeline, self.version, self.execution_id = pipeline, version, execution_id


class ExecutionIsCopy(TrackerError):
    """An execution came from a run file, so another database goes on with it, or could.

    Attributes:
        execution_id: of the copy.
    """

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            f"Execution {execution_id} came from a run file: it is a copy, and only where it ran can it go on. Run it "
            "again here, from a step if need be; completed steps are copied then."
        )
        self.execution_id = execution_id

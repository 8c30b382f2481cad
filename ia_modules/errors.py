"""Every error ia_modules raises on purpose.

IAModulesError
├── PayloadError                 a value that JSON cannot carry, or too much of it; nothing was written
├── InvalidStatus                a status word that does not exist
├── TrackerError
│   ├── PipelineNotFound
│   ├── PipelineConflict         the slug already stands for another definition
│   ├── ExecutionNotFound
│   ├── StepExecutionNotFound
│   ├── LeaseLost                another process owns the execution now; nothing was written
│   ├── AlreadyFinished          a terminal status stands and is never rewritten
│   ├── InvalidTransition        from this status there is no way to that one
│   ├── InteractionNotFound
│   ├── AlreadyAnswered          somebody else answered first
│   └── StepConflict             the recorded step is not the one being recorded now
├── BlockingCallOnLoop           a synchronous call where it would block an event loop
└── DatabaseError                __cause__ is the driver's exception, where there is one
    ├── InvalidDatabaseUrl
    ├── DatabaseUnavailable      the server or the file cannot be reached; trying again may help
    ├── DatabaseBusy             somebody else held a lock for too long; trying again may help
    ├── DatabaseReadOnly
    ├── ConstraintViolated       a rule of the schema said no
    ├── InvalidQuery             the SQL or its parameters are wrong
    ├── TransactionMisuse        the manager was used where the transaction's handle must be
    └── SchemaError              the schema is missing, changed, or needs a newer program
"""

from collections.abc import Iterable


class IAModulesError(Exception):
    """The root: catch this to catch everything ia_modules raises on purpose."""


class PayloadError(IAModulesError):
    """A value cannot be stored as JSON.

    Attributes:
        where: what the value was meant for, such as ``output of step 'score'``.
        path: JSON path of the culprit inside the value, ``$`` for the value itself.
    """

    def __init__(self, where: str, path: str, found: str, expected: str) -> None:
        super().__init__(f"The {where} cannot be stored: at {path} found {found}; expected {expected}.")
        self.where, self.path = where, path


class InvalidStatus(IAModulesError, ValueError):
    """A status word that does not exist.

    Attributes:
        found: the word that was given.
    """

    def __init__(self, found: object, expected: Iterable[str]) -> None:
        super().__init__(f"Unknown status {found!r}; expected one of: {', '.join(expected)}.")
        self.found = found


class TrackerError(IAModulesError):
    """The records do not allow what was asked."""


class PipelineNotFound(TrackerError):
    """No pipeline has this id."""

    def __init__(self, pipeline_id: str) -> None:
        super().__init__(
            f"No pipeline has the id {pipeline_id!r}. Register it first: "
            "pipeline_id = await tracker.register_pipeline(slug, name)."
        )
        self.pipeline_id = pipeline_id


class PipelineConflict(TrackerError):
    """The slug already stands for another definition."""

    def __init__(self, slug: str, current_version: int) -> None:
        super().__init__(
            f"Pipeline {slug!r} exists with another definition (version {current_version}). "
            "Pass new_version=True to store this one as its next version, or choose another slug."
        )
        self.slug, self.current_version = slug, current_version


class ExecutionNotFound(TrackerError):
    """No execution has this id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"No execution has the id {execution_id!r}. List what there is: ia-modules executions list.")
        self.execution_id = execution_id


class StepExecutionNotFound(TrackerError):
    """No step execution has this id."""

    def __init__(self, step_execution_id: str) -> None:
        super().__init__(
            f"No step execution has the id {step_execution_id!r}; expected one that start_step_execution returned."
        )
        self.step_execution_id = step_execution_id


class LeaseLost(TrackerError):
    """Another process owns the execution now, or this one owns it anew; nothing was written.

    Attributes:
        owner: who owns the execution, None when nobody does.
        epoch: how often the execution has been claimed.
    """

    def __init__(self, execution_id: str, *, owner: str | None, epoch: int, writer: str) -> None:
        holder = f"belongs to {owner!r}" if owner else "belongs to nobody"
        super().__init__(
            f"Execution {execution_id!r} {holder} (epoch {epoch}), not to the writer {writer!r}: nothing was written. "
            "Stop working on it; take_over() makes it yours if the other process is gone."
        )
        self.execution_id, self.owner, self.epoch = execution_id, owner, epoch


class AlreadyFinished(TrackerError):
    """A terminal status stands and is never rewritten.

    Attributes:
        what: ``execution`` or ``step execution``.
        status: the status that stands.
        asked: the status that came too late, or what was to be done.
    """

    def __init__(self, what: str, identifier: str, *, status: str, asked: str) -> None:
        super().__init__(f"The {what} {identifier!r} is already {status}; it cannot become {asked}.")
        self.what, self.identifier, self.status, self.asked = what, identifier, status, asked


class InvalidTransition(TrackerError):
    """From this status there is no way to that one."""

    def __init__(self, what: str, identifier: str, *, status: str, asked: str, allowed: Iterable[str]) -> None:
        super().__init__(
            f"The {what} {identifier!r} is {status} and cannot become {asked}; expected one of: {', '.join(allowed)}."
        )
        self.what, self.identifier, self.status, self.asked = what, identifier, status, asked


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
        actor: who answered; None when nobody did.
    """

    def __init__(self, interaction_id: str, *, status: str, actor: str | None) -> None:
        by = f" by {actor}" if actor else ""
        super().__init__(f"Interaction {interaction_id!r} is already {status}{by}; your answer was not taken.")
        self.interaction_id, self.status, self.actor = interaction_id, status, actor


class StepConflict(TrackerError):
    """The recorded step is not the one being recorded now."""

    def __init__(self, step_id: str, *, recorded: str, replayed: str) -> None:
        found = f"Step {step_id!r} was recorded as {recorded} but now comes as {replayed}."
        super().__init__(f"{found} Continue the execution with the version of the program that started it.")
        self.step_id, self.recorded, self.replayed = step_id, recorded, replayed


class BlockingCallOnLoop(IAModulesError, RuntimeError):
    """A synchronous call where it would block an event loop."""

    def __init__(self, called: str, instead: str) -> None:
        super().__init__(
            f"{called}() was called on a running event loop, which it would block. Use: await {instead}()."
        )
        self.called, self.instead = called, instead


class DatabaseError(IAModulesError):
    """The database did not do what it was asked; ``__cause__`` is the driver's exception, where there is one."""


class InvalidDatabaseUrl(DatabaseError, ValueError):
    """The database URL cannot be understood. No password is ever in the message."""


class DatabaseUnavailable(DatabaseError):
    """The server or the file cannot be reached, or lets us not in; trying again may help."""


class DatabaseBusy(DatabaseError):
    """Somebody else held a lock for too long; trying again may help."""


class DatabaseReadOnly(DatabaseError):
    """The database may be read but not written."""


class ConstraintViolated(DatabaseError):
    """A rule of the schema said no.

    Attributes:
        constraint: the rule's name, None where the database does not tell.
    """

    def __init__(self, message: str, *, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class InvalidQuery(DatabaseError):
    """The SQL or its parameters are wrong."""


class TransactionMisuse(DatabaseError):
    """A transaction's rules were broken; everything in it was rolled back.

    The manager was used inside it, its handle after its end or after a failed statement, or it took too long.
    """


class SchemaError(DatabaseError):
    """The schema is missing, was changed, or needs a newer program."""

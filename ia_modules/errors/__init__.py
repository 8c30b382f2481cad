"""Every error ia_modules raises on purpose.

IAModulesError
├── PayloadError                 a value that JSON cannot carry, or too much of it; nothing was written
├── InvalidStatus                a word that does not exist for a status or a level
├── InvalidArgument              a number or a text that cannot be right
│   ├── NestingTooDeep           runs within runs, more of them than a path can name
│   ├── InvalidAnswer            not what the question asks for, or not from whom; nothing was stored
│   └── QuestionsDiffer          one answer for many questions that are not alike; nothing was stored
├── OtherEventLoop               a tracker is at work on another event loop
├── InvalidValue                 one value of a document is wrong; the loader adds where it stands
├── PipelineError                a pipeline cannot be run, or a run of it failed; names the step
│   ├── PipelineDefinitionError  the definition is wrong; nothing has run
│   ├── PipelineInputError       the input breaks the pipeline's contract; nothing was recorded as started
│   ├── PipelineOutputError      the steps have run, but the output cannot be kept or breaks ``output_schema``
│   ├── StepError                a step failed; __cause__ is its own exception, where there is one
│   │   ├── StepInputError       an input does not resolve or breaks its schema; the step did not run
│   │   │   ├── MapTooLarge      the list of a map has too many entries
│   │   │   └── LostUpdate       branches that join have written one key, and ``merge`` says ``error`` for it
│   │   ├── StepOutputError      the result breaks the step's ``output_schema``, or cannot be merged into the state
│   │   ├── StepTimeout          also a TimeoutError
│   │   ├── HumanInputTimeout    not enough people answered in time
│   │   ├── ConditionError       the function that a path's condition calls failed
│   │   ├── LoopLimitExceeded    a loop ran too often or too long
│   │   ├── MapItemFailed        more items of a map have failed than may
│   │   ├── StepExited           it called ``sys.exit``, or cancelled itself
│   │   ├── StepAbandoned        it did not stop when cancelled, and may still run
│   │   ├── StepKilled           it did not stop when cancelled, so its process was ended
│   │   ├── StepProcessEnded     the process that ran it crashed, or somebody ended it
│   │   └── StepLost             its node on a cluster is gone: the attempt is lost, and made again
│   ├── ExecutionCancelled       the execution was cancelled
│   └── ExecutionFailed          the execution that a caller's id stands for failed; its error as it is on record
├── ServiceNotFound              no service of this name is registered
├── TrackerError
│   ├── PipelineNotFound
│   ├── PipelineConflict         the slug already stands for another definition
│   ├── StaleVersion             somebody else stored a version meanwhile
│   ├── PipelineVersionNotFound
│   ├── SlugMismatch             a new version names another pipeline
│   ├── PipelineArchived         it starts no more executions
│   ├── PipelineNotRunnable      there is no definition that could be run
│   ├── PipelineInUse            executions of it have not ended, or are pinned; it is not deleted
│   ├── PipelineHasHistory       it has executions, and its history was not to be deleted
│   ├── ExecutionNotFound
│   ├── ExecutionIdConflict      a caller's id of an execution stands for another request; also a PipelineError
│   ├── AlreadyStarted           a caller's id stands for an execution that was started before
│   ├── RerunRefused             what a re-run would copy does not fit the version that is to run
│   ├── AlreadyRepeated          a re-run of the execution goes on or has completed: no second one was begun
│   ├── AlreadyResumed           the execution has not ended: it goes on already
│   ├── CodeNotFound             workers would not find the code of a version here
│   ├── ExecutionIsCopy          it came from a run file: it is read, compared and run again, never gone on with
│   ├── ExecutionKept            it has not ended, or is pinned; it is not deleted
│   ├── NothingToCompareWith     no execution of the pipeline completed before this one
│   ├── StepExecutionNotFound
│   ├── LeaseLost                another process owns the execution now; nothing was written
│   ├── RunsElsewhere            an attempt of it runs on a Ray cluster that this process is not joined to
│   ├── AlreadyFinished          a terminal status stands and is never rewritten
│   ├── InvalidTransition        this status cannot follow the current one
│   ├── IdempotencyConflict      the key of a request already stands for another one
│   ├── FailureGroupNotFound
│   ├── InteractionNotFound
│   ├── AlreadyAnswered          somebody else answered first
│   ├── TooFewUsers              those that a question is to be assigned to could never decide it
│   ├── AnsweredInTime           the question that was to expire has been answered; nothing was written
│   └── StepConflict             the recorded step is not the one being recorded now; also a PipelineError
│       └── InnerStepConflict    a call within a step was recorded for other arguments
├── OtherProcess                a database manager in a child of the process that made it
├── BlockingCallOnLoop           a synchronous call where it would block an event loop
└── DatabaseError                __cause__ is the driver's exception, where there is one
    ├── InvalidDatabaseUrl
    ├── DatabaseUnavailable      the server or the file cannot be reached; trying again may help
    │   ├── DatabaseRefused      a wrong password, name or folder; waiting does not help, changing it does
    │   └── DatabaseClosed       this manager was closed; trying again never helps
    ├── DatabaseBusy             a lock, a deadlock or a conflict with others; trying again may help
    ├── ReadTooLong              a read of very many rows exceeded its limit
    ├── DatabaseFull             there is no room on its disk; nothing was written
    ├── DatabaseReadOnly
    ├── ConstraintViolated       a constraint of the schema was violated
    ├── InvalidQuery             the SQL or its parameters are wrong
    ├── FileRefused              a run file is not what it should be; nothing of it was used
    ├── TransactionMisuse        the manager was used where the transaction's handle must be
    └── SchemaError              the schema is missing, changed, or needs a newer program

Each stands in the room of its subject, and is imported from here. Here is its name, too: ``retry_on`` of a pipeline may
say ``ia_modules.errors.StepTimeout``, and tracebacks do.
"""

from ia_modules.errors.base import (
    REMOTE_TRACEBACK,
    BlockingCallOnLoop,
    DatabaseError,
    IAModulesError,
    InvalidArgument,
    InvalidStatus,
    NestingTooDeep,
    OtherEventLoop,
    OtherProcess,
    PayloadError,
    PipelineError,
    TrackerError,
    refuse_on_loop,
)
from ia_modules.errors.database import (
    PASSING_DATABASE_ERRORS,
    ConstraintViolated,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    FileRefused,
    InvalidDatabaseUrl,
    InvalidQuery,
    ReadTooLong,
    SchemaError,
    TransactionMisuse,
)
from ia_modules.errors.documents import (
    FORMAT_HINT,
    InvalidValue,
    PipelineDefinitionError,
    PipelineInputError,
    PipelineOutputError,
    Problem,
)
from ia_modules.errors.questions import (
    AlreadyAnswered,
    AnsweredInTime,
    InteractionNotFound,
    InvalidAnswer,
    QuestionsDiffer,
    TooFewUsers,
)
from ia_modules.errors.running import (
    KEEP_BOTH,
    ConditionError,
    ExecutionCancelled,
    ExecutionFailed,
    HumanInputTimeout,
    LoopLimitExceeded,
    LostUpdate,
    MapItemFailed,
    MapTooLarge,
    ServiceNotFound,
    StepAbandoned,
    StepError,
    StepExited,
    StepInputError,
    StepKilled,
    StepLost,
    StepOutputError,
    StepProcessEnded,
    StepTimeout,
    both_wrote,
)
from ia_modules.errors.tracking import (
    AlreadyFinished,
    AlreadyRepeated,
    AlreadyResumed,
    AlreadyStarted,
    CodeNotFound,
    ExecutionIdConflict,
    ExecutionIsCopy,
    ExecutionKept,
    ExecutionNotFound,
    FailureGroupNotFound,
    IdempotencyConflict,
    InnerStepConflict,
    InvalidTransition,
    LeaseLost,
    NothingToCompareWith,
    PipelineArchived,
    PipelineConflict,
    PipelineHasHistory,
    PipelineInUse,
    PipelineNotFound,
    PipelineNotRunnable,
    PipelineVersionNotFound,
    RerunRefused,
    RunsElsewhere,
    SlugMismatch,
    StaleVersion,
    StepConflict,
    StepExecutionNotFound,
)

__all__ = [
    "FORMAT_HINT",
    "KEEP_BOTH",
    "PASSING_DATABASE_ERRORS",
    "REMOTE_TRACEBACK",
    "AlreadyAnswered",
    "AlreadyFinished",
    "AlreadyRepeated",
    "AlreadyResumed",
    "AlreadyStarted",
    "AnsweredInTime",
    "BlockingCallOnLoop",
    "CodeNotFound",
    "ConditionError",
    "ConstraintViolated",
    "DatabaseBusy",
    "DatabaseClosed",
    "DatabaseError",
    "DatabaseFull",
    "DatabaseReadOnly",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "ExecutionCancelled",
    "ExecutionFailed",
    "ExecutionIdConflict",
    "ExecutionIsCopy",
    "ExecutionKept",
    "ExecutionNotFound",
    "FailureGroupNotFound",
    "FileRefused",
    "HumanInputTimeout",
    "IAModulesError",
    "IdempotencyConflict",
    "InnerStepConflict",
    "InteractionNotFound",
    "InvalidAnswer",
    "InvalidArgument",
    "InvalidDatabaseUrl",
    "InvalidQuery",
    "InvalidStatus",
    "InvalidTransition",
    "InvalidValue",
    "LeaseLost",
    "LoopLimitExceeded",
    "LostUpdate",
    "MapItemFailed",
    "MapTooLarge",
    "NestingTooDeep",
    "NothingToCompareWith",
    "OtherEventLoop",
    "OtherProcess",
    "PayloadError",
    "PipelineArchived",
    "PipelineConflict",
    "PipelineDefinitionError",
    "PipelineError",
    "PipelineHasHistory",
    "PipelineInUse",
    "PipelineInputError",
    "PipelineNotFound",
    "PipelineNotRunnable",
    "PipelineOutputError",
    "PipelineVersionNotFound",
    "Problem",
    "QuestionsDiffer",
    "ReadTooLong",
    "RerunRefused",
    "RunsElsewhere",
    "SchemaError",
    "ServiceNotFound",
    "SlugMismatch",
    "StaleVersion",
    "StepAbandoned",
    "StepConflict",
    "StepError",
    "StepExecutionNotFound",
    "StepExited",
    "StepInputError",
    "StepKilled",
    "StepLost",
    "StepOutputError",
    "StepProcessEnded",
    "StepTimeout",
    "TooFewUsers",
    "TrackerError",
    "TransactionMisuse",
    "both_wrote",
    "refuse_on_loop",
]

for _public in (globals()[name] for name in __all__):
    if isinstance(_public, type):
        _public.__module__ = __name__

"""A journal's rules once more, as plainly as they can be written: what any journal is compared with.

It shares no code with ``ia_modules.deciding``: one dict per row, one operation after the other, nothing concurrent.
"""

from collections.abc import Container, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from ia_modules.transitions import (
    Claim,
    LogLine,
    OwnershipChange,
    Recovery,
    RequestCancel,
    Requeue,
    StepStart,
    StepUpdate,
    TakeOver,
    Transition,
    WakeUp,
)
from ia_modules.usage import Spent

ENDED_EXECUTION = ("completed", "failed", "cancelled")
OPEN_STEP = ("pending", "running", "waiting")
WAITING_EXECUTION = ("waiting", "waiting_for_human")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING_USED: Mapping[str, None] = dict.fromkeys(("input_tokens", "output_tokens", "cost_micros", "unpriced_calls"))
CHANGED, UNCHANGED = "changed", "unchanged"


@dataclass
class PlainExecution:
    """One execution and its steps by the rules, as dicts."""

    row: dict[str, Any] = field(default_factory=dict[str, Any])
    steps: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    logs: dict[str, LogLine] = field(default_factory=dict[str, LogLine])

    now: datetime = BEGAN

    def record(self, transition: Transition, now: datetime = BEGAN) -> str:
        """What becomes of a transition: ``changed``, ``unchanged``, or the name of the error (nothing has changed)."""
        trial = deepcopy(self)
        trial.now = now
        outcome = trial._record(transition)
        if outcome == CHANGED:
            if trial.row["status"] not in WAITING_EXECUTION:
                trial.row["run_at"] = None
            trial.row["sequence"] += 1
            for step in trial.steps.values():
                if step.pop("touched", False):
                    step["sequence"] = trial.row["sequence"]
            self.row, self.steps, self.logs = trial.row, trial.steps, trial.logs
        return outcome

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come, so that whoever looks puts it into the queue."""
        return self.row["run_at"] is not None and self.row["run_at"] <= now

    def _record(self, transition: Transition) -> str:
        if transition.new is not None:
            if self.row:
                return UNCHANGED
            is_running = transition.new.run_at is None
            self.row = {
                "status": "running" if is_running else "waiting",
                "run_at": transition.new.run_at,
                "owner": transition.writer if is_running else None,
                "epoch": int(is_running),
                "recoveries": 0,
                "sequence": 0,
                "cancel_requested": False,
                "completed_steps": 0,
                "failed_steps": 0,
                **NOTHING_USED,
            }
            return CHANGED
        if not self.row:
            return "ExecutionNotFound"
        if transition.ownership is not None:
            return self._change_ownership(transition, transition.ownership)
        if self.row["owner"] != transition.writer or (
            transition.lease is not None and transition.lease.epoch != self.row["epoch"]
        ):
            return "LeaseLost"
        was_over = self.row["status"] in ENDED_EXECUTION
        outcomes = self._work(transition)
        for outcome in outcomes:
            if outcome not in (CHANGED, UNCHANGED):
                return outcome
        if CHANGED not in outcomes:
            return UNCHANGED
        return "AlreadyFinished" if was_over else CHANGED

    def _work(self, transition: Transition) -> list[str]:
        """What each part of a transition does, in order."""
        ended = {id_ for id_, step in self.steps.items() if step["status"] not in OPEN_STEP}
        outcomes = [self._update(update) for update in transition.updates]
        for update in transition.updates:
            step = self.steps.get(update.step_execution_id)
            if step is not None and step.pop("has_ended", False):
                self._close_within(step)
        outcomes += [self._start(start) for start in transition.starts]
        if transition.change is not None and transition.change.status is not None:
            outcomes.append(self._become(str(transition.change.status), released=transition.change.released))
        outcomes += [self._log(line, ended) for line in transition.logs]
        self._drop_output(transition, ended)
        return outcomes

    def _log(self, line: LogLine, ended: Container[str | None]) -> str:
        """``ended``: the attempts that had ended before."""
        if line.level == "output" and line.step_execution_id in ended:
            return UNCHANGED
        self.logs[line.log_id] = line
        return CHANGED

    def _drop_output(self, transition: Transition, ended: set[str]) -> None:
        """Of attempts that complete now and say so, what was emitted is not kept."""
        completed = {id_ for id_, step in self.steps.items() if step["status"] == "completed"} - ended
        says = {update.step_execution_id for update in transition.updates if update.drops_output}
        gone = [
            log_id
            for log_id, line in self.logs.items()
            if line.level == "output" and line.step_execution_id in completed & says
        ]
        for log_id in gone:
            del self.logs[log_id]

    def _update(self, update: StepUpdate) -> str:
        step = self.steps.get(update.step_execution_id)
        if step is None:
            return "StepExecutionNotFound"
        if step["status"] not in OPEN_STEP:
            return UNCHANGED if update.status in (None, step["status"]) else "AlreadyFinished"
        if update.status is not None:
            step |= {"status": str(update.status), "has_ended": update.status not in OPEN_STEP}
            self.row["completed_steps"] += update.status == "completed" and step["within"] == ""
            self.row["failed_steps"] += update.status == "failed" and step["within"] == ""
            self.row["recoveries"] *= update.status != "completed"
        step["output_data"] = update.output_data or step["output_data"]
        is_mark = (update.awaits or "").startswith("ray:")
        kept = None if update.awaits and not is_mark else step["wake_at"]
        step["wake_at"] = self._after(update.wake_after_seconds) or kept
        step["awaits"] = update.awaits or step["awaits"]
        step["touched"] = True
        if update.usage is not None:
            self._use(step, update.usage.spent)
        return CHANGED

    def _use(self, step: dict[str, Any], spent: Spent) -> None:
        """All that an attempt has told so far: the execution rises by what is more; what is older says nothing."""
        now = asdict(spent)
        if any((now[name] or 0) < (step[name] or 0) for name in NOTHING_USED):
            return
        for name, number in now.items():
            if number is not None:
                self.row[name] = (self.row[name] or 0) + number - (step[name] or 0)
            step[name] = number

    def _start(self, start: StepStart) -> str:
        if start.step_execution_id in self.steps:
            recorded = self.steps[start.step_execution_id]
            is_same = (recorded["within"], recorded["step_id"]) == (start.within, start.step_id)
            return UNCHANGED if is_same else "StepConflict"
        same = [
            step
            for step in self.steps.values()
            if (step["within"], step["step_id"]) == (start.within, start.step_id)
            and start.iteration in (None, step["iteration"])
        ]
        last = max(same, key=lambda step: (step["iteration"], step["attempt"]), default=None)
        iteration, attempt = start.iteration or 1, start.attempt or 1
        if start.iteration is None and last is not None:
            goes_on = last["status"] in ("failed", "lost")
            iteration, attempt = (last["iteration"], last["attempt"] + 1) if goes_on else (last["iteration"] + 1, 1)
        if last is not None and last["iteration"] == iteration and attempt > 1 and start.within == "":
            self.row["failed_steps"] -= last["status"] == "failed"
        self.steps[start.step_execution_id] = {
            "within": start.within,
            "step_id": start.step_id,
            "iteration": iteration,
            "attempt": attempt,
            "status": str(start.status),
            "wake_at": self._after(start.wake_after_seconds),
            "awaits": start.awaits,
            "output_data": None,
            **NOTHING_USED,
            "touched": True,
        }
        return CHANGED

    def _after(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.now + timedelta(seconds=seconds)

    def _become(self, status: str, *, released: bool) -> str:
        is_same = status == self.row["status"]
        if is_same and (not released or status in ENDED_EXECUTION):
            return UNCHANGED
        if self.row["status"] in ENDED_EXECUTION:
            return "AlreadyFinished"
        if not is_same and self.row["status"] == "pending" and status not in ("running", "failed", "cancelled"):
            return "InvalidTransition"
        if self.row["status"] == "waiting" and status in ("completed", "waiting_for_human"):
            return "InvalidTransition"
        if self.row["cancel_requested"] and status in ("pending", *WAITING_EXECUTION):
            status = "cancelled"
        self.row["status"] = status
        if status in ENDED_EXECUTION:
            self._close(OPEN_STEP, "cancelled")
        if released:
            self.row["owner"] = None
            self._rest()
        return CHANGED

    def _rest(self) -> None:
        """It waits until the earliest time of its attempts; where that has passed, whoever is free goes on."""
        waiting = [step["wake_at"] for step in self.steps.values() if step["status"] in ("pending", "waiting")]
        self.row["run_at"] = min((wake_at for wake_at in waiting if wake_at is not None), default=None)
        if self.row["status"] in WAITING_EXECUTION and self.is_due(self.now):
            self.row["status"] = "pending"

    def _lose_with_process(self) -> None:
        """What ran in the process that is gone is lost. What runs on a Ray cluster outlives it."""
        for step in self.steps.values():
            if step["status"] == "running" and not (step["awaits"] or "").startswith("ray:"):
                step |= {"status": "lost", "touched": True}

    def _close(self, statuses: tuple[str, ...], status: str, *, inside: str = "") -> None:
        for step in self.steps.values():
            if step["status"] in statuses and f"{step['within']}/".startswith(inside):
                step |= {"status": status, "touched": True}

    def _close_within(self, ended: dict[str, Any]) -> None:
        """What is a part of a run that has ended is over, wherever it runs; only what ran is lost with it."""
        around = f"{ended['within']}/" if ended["within"] else ""
        path = f"{around}{ended['step_id']}#{ended['iteration']}/"  # ids of steps in histories need no escaping
        if ended["status"] == "lost":
            self._close(("running",), "lost", inside=path)
        else:
            self._close(OPEN_STEP, "cancelled", inside=path)

    def _change_ownership(self, transition: Transition, change: OwnershipChange) -> str:
        match change:
            case TakeOver() | Claim():
                return self._take(transition.writer, change)
            case Requeue():
                return self._requeue()
            case RequestCancel():
                return self._request_cancel()
            case Recovery():
                return self._recover(transition, change)
            case WakeUp():
                if self.row["status"] not in WAITING_EXECUTION:
                    return UNCHANGED
                self.row["status"] = "pending"
                return CHANGED

    def _take(self, writer: str, change: TakeOver | Claim) -> str:
        status = self.row["status"]
        if isinstance(change, Claim):
            if status != "pending":
                return "InvalidTransition"
            self.row["status"] = "running"
        elif status == "completed" or (status in ENDED_EXECUTION and not change.reopen):
            return "AlreadyFinished"
        elif change.reopen:
            self.row |= {"status": "running", "cancel_requested": False, "recoveries": 0}
        self.row |= {"owner": writer, "epoch": self.row["epoch"] + 1}
        return CHANGED

    def _requeue(self) -> str:
        if self.row["status"] not in ("failed", "cancelled"):
            return "AlreadyFinished" if self.row["status"] == "completed" else "InvalidTransition"
        begins_anew = {"status": "pending", "owner": None, "cancel_requested": False, "recoveries": 0}
        self.row |= begins_anew | {"epoch": self.row["epoch"] + 1}
        return CHANGED

    def _request_cancel(self) -> str:
        if self.row["status"] in ENDED_EXECUTION:
            return "AlreadyFinished"
        if self.row["cancel_requested"]:
            return UNCHANGED
        self.row["cancel_requested"] = True
        if self.row["status"] != "running":
            self.row["status"] = "cancelled"
            self._close(OPEN_STEP, "cancelled")
        return CHANGED

    def _recover(self, transition: Transition, recovery: Recovery) -> str:
        if self.row["status"] in ENDED_EXECUTION:
            return "AlreadyFinished"
        is_current = transition.lease is None or transition.lease.epoch == self.row["epoch"]
        if self.row["status"] != "running" or not is_current:
            return "LeaseLost"
        recoveries = self.row["recoveries"] + recovery.counted
        status = str(recovery.status)
        if self.row["cancel_requested"] and status == "pending":
            status = "cancelled"
        self.row |= {"status": status, "epoch": self.row["epoch"] + 1, "recoveries": recoveries}
        self._lose_with_process()
        if self.row["status"] in ENDED_EXECUTION:
            self._close(OPEN_STEP, "cancelled")
        else:
            self.row["owner"] = None
        return CHANGED

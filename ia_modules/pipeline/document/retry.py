"""When a failed attempt is made again, and after how long. Without a policy, never."""

from typing import Annotated, Literal

from pydantic import Field

from ia_modules.pipeline.document.base import Document, Many


class RetryPolicy(Document):
    """How often, and for what.

    A step whose code has returned is made again only for a result that its ``output_schema`` refuses.

    Attributes:
        max_attempts: with the first one; attempts that were lost with their process do not count.
        initial_delay: seconds before the second attempt; multiplied by ``exponential_base`` for each further one.
        max_delay: seconds; no delay is longer.
        jitter: draw the delay between 0 and its limit, so that many failures do not come back at once.
        retry_on: names of exception classes; a base class counts. Empty: every exception.
        do_not_retry_on: the same, and it wins.
        inner: what the step has called through ``context.step`` and completed before it failed: ``keep`` answers those
            calls from the record, ``again`` makes them anew.
    """

    max_attempts: Annotated[int, Field(ge=1)] = 3
    initial_delay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    max_delay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    exponential_base: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    jitter: bool = True
    retry_on: Many[str] = ()
    do_not_retry_on: Many[str] = ()
    inner: Literal["keep", "again"] = "keep"


def should_retry(policy: RetryPolicy | None, attempts: int, error: Exception) -> bool:
    """Whether a further attempt is made after ``attempts`` that failed, the last one with ``error``.

    A class is named as in ``except`` (``TimeoutError``) or with its module (``httpx.ReadTimeout``).
    """
    if policy is None or attempts >= policy.max_attempts:
        return False
    names = {name for kind in type(error).__mro__ for name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}")}
    if not names.isdisjoint(policy.do_not_retry_on):
        return False
    return not policy.retry_on or not names.isdisjoint(policy.retry_on)


def retry_delay(policy: RetryPolicy, attempt: int, *, draw: float) -> float:
    """Seconds to wait before the next attempt: exponential backoff, with full jitter where the policy says so.

    Args:
        attempt: attempts already made, counting from 1.
        draw: uniform in [0, 1); passed in so that tests are exact. Without jitter it does not count.

    Raises:
        ValueError: ``attempt`` is below 1.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    if attempt < 1:
        raise ValueError(f"attempt counts from 1, got {attempt}")
    try:
        limit = min(policy.max_delay, policy.initial_delay * policy.exponential_base ** (attempt - 1))
    except OverflowError:  # the power left the range of a float
        limit = policy.max_delay if policy.initial_delay else 0.0
    return limit * draw if policy.jitter else limit

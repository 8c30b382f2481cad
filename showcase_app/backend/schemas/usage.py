"""What the API says of calls of models: by model, of an execution and of a window, and over time."""

from typing import Self

from pydantic import Field

from ia_modules.tracker.usage import UsageByModel, WindowUsage
from showcase_app.backend.schemas.base import Out, Time
from showcase_app.backend.schemas.metrics import Window


class UsageSumsOut(Out):
    """Sums of what was told."""

    input_tokens: int
    output_tokens: int
    cost_micros: int | None = Field(
        description="In millionths of the currency, of calls whose cost is known; null: of none is it."
    )
    unpriced_calls: int = Field(description="Calls whose cost nobody knows.")


class UsageOfModelOut(UsageSumsOut):
    """The same of one model."""

    model: str = Field(examples=["gpt-4o-mini"])
    provider: str | None = Field(description="null: not told.", examples=["openai"])
    calls: int
    cached_tokens: int = Field(description="Of `input_tokens`, those that came from a cache.")
    reasoning_tokens: int = Field(description="Of `output_tokens`, those that nobody sees.")


class UsageOut(Out):
    """What an execution used, all attempts of all levels, the dearest model first, 200 at most."""

    currency: str = Field(examples=["USD"])
    models: list[UsageOfModelOut]

    @classmethod
    def of(cls, usage: UsageByModel) -> Self:
        return cls(currency=usage.currency, models=[UsageOfModelOut.from_record(each) for each in usage.models])


class UsageBucketOut(UsageSumsOut):
    """Of the attempts that began from `start` on and before `end`."""

    start: Time
    end: Time


class WindowUsageOut(Out):
    """What attempts used that began in a window; without what came from run files."""

    window: Window
    since: Time | None = Field(description="Where the window begins; null: everything.")
    until: Time
    pipeline_id: str | None
    currency: str = Field(examples=["USD"])
    total: UsageSumsOut
    models: list[UsageOfModelOut] = Field(description="The dearest first, 200 at most.")
    bucket_seconds: int
    buckets: list[UsageBucketOut] = Field(description="Equal parts of the window, oldest first, without gaps.")

    @classmethod
    def of(cls, window: Window, pipeline_id: str | None, usage: WindowUsage) -> Self:
        return cls(
            window=window,
            since=usage.since,
            until=usage.until,
            pipeline_id=pipeline_id,
            currency=usage.currency,
            total=UsageSumsOut.from_record(usage.total),
            models=[UsageOfModelOut.from_record(each) for each in usage.models],
            bucket_seconds=usage.bucket_seconds,
            buckets=[UsageBucketOut.from_record(each) for each in usage.buckets],
        )

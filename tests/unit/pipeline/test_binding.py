# pyright: reportUnknownParameterType=false, reportMissingParameterType=false
"""What a function is called with: its parameters by name and by their annotations, the whole data, the step's own."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NotRequired, Optional
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from ia_modules.errors import InvalidValue, PipelineDefinitionError, StepInputError
from ia_modules.models import ExecutionId, StepExecutionId
from ia_modules.payload import encode
from ia_modules.pipeline.authoring import Flow
from ia_modules.pipeline.binding import Binding, binding_of, reader_of
from ia_modules.pipeline.core import ServiceRegistry, StepContext

if TYPE_CHECKING:
    from fractions import Fraction as Share

SERVICES = ServiceRegistry({"unit": "words"})
CONTEXT = StepContext(
    execution_id=ExecutionId("e"), step_id="s", step_execution_id=StepExecutionId("a"), services=SERVICES
)


def plan(function: Callable[..., Any], inputs: list[str] | None = None, parameters: tuple[str, ...] = ()) -> Any:
    return binding_of(function, inputs=inputs, parameters=parameters)


def called(function: Callable[..., Any], data: dict[str, Any], **known: Any) -> Any:
    """What a function gives for the data of a step."""
    binding: Binding | None = plan(function, **known)
    text = encode(data, "data")
    if binding is None:
        return function(orjson.loads(text))
    args, kwargs = binding.arguments(text, CONTEXT)
    return function(*args, **kwargs)


class Line(BaseModel):
    price: Decimal
    count: int = 1


class Order(BaseModel):
    customer: str
    lines: list[Line] = []


class State(TypedDict):
    question: str
    answer: NotRequired[str]


ORDER = {"customer": "Ada", "lines": [{"price": "1.50"}]}
AS_ORDER = Order(customer="Ada", lines=[Line(price=Decimal("1.50"))])


# The whole data, as it was before


class WithCall:
    def __call__(self, data: dict[str, Any]) -> Any:
        return data


def anything(value):
    return value


def whole(data: Any) -> Any:
    return data


def a_mapping(value: Mapping[str, Any]) -> Any:
    return value


def a_mapping_or_nothing(value: Optional[MutableMapping[str, int]]) -> Any:  # noqa: UP045 - as others write it
    return value


def a_dict(value: dict[str, int]) -> Any:
    return value


def positional(value: Any, /) -> Any:
    return value


def with_defaults(data: dict[str, Any], limit: int = 5, *rest: Any, sort: bool = False, **options: Any) -> Any:
    return data | ({} if (limit, rest, sort, options) == (5, (), False, {}) else {"bound": True})


def open_to_all(*args: Any, **kwargs: Any) -> Any:
    assert not kwargs
    return args[0]


def unreadable(value: "Share") -> Any:
    return value


def a_typed_state(data: State) -> Any:
    return data


def unwrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def unwrapped(data: Any) -> Any:
        return function(Order(**data))

    return unwrapped


@unwrapping
def unwrapped(data: Order) -> Any:
    return data.model_dump(mode="json", exclude_defaults=True)


@pytest.mark.parametrize(
    "function",
    [
        *(anything, whole, a_mapping, a_mapping_or_nothing, a_dict, positional, with_defaults, open_to_all, unreadable),
        *(a_typed_state, unwrapped, dict, WithCall(), functools.partial(with_defaults, sort=False)),
        *(lambda it: it, lambda it, n=3: it if n == 3 else n),
    ],
)
def test_a_function_of_one_mapping_is_called_with_the_whole_data_as_it_is(function: Callable[..., Any]) -> None:
    assert plan(function) is None
    assert plan(function, inputs=["a"]) is None
    assert called(function, ORDER) == ORDER


# By name


def by_name(text: str, limit: int, order: Order | None = None, *, day: date = date(2026, 1, 1)) -> Any:
    return text, limit, order, day


SUNDAY = date(2026, 11, 29)


def untyped(text, limit):
    return text, limit


def only_positional(text: str, limit: int = 7, day: date | None = None, /) -> Any:
    return text, limit, day


def with_the_rest(text: str, **rest: int) -> Any:
    return text, rest


def nothing() -> Any:
    return "called"


def passing_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def passed_on(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return passed_on


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.parametrize(
    ("function", "data", "result"),
    [
        (by_name, {"text": "a", "limit": 2, "unread": None}, ("a", 2, None, date(2026, 1, 1))),
        (by_name, {"text": "a", "limit": 2, "order": ORDER, "day": "2026-11-29"}, ("a", 2, AS_ORDER, SUNDAY)),
        (passing_on(by_name), {"text": "a", "limit": "2"}, ("a", 2, None, date(2026, 1, 1))),
        (untyped, {"text": [1], "limit": None}, ([1], None)),
        (only_positional, {"text": "a", "day": "2026-11-29"}, ("a", 7, date(2026, 11, 29))),
        (with_the_rest, {"text": "a", "b": 1, "c": "2"}, ("a", {"b": 1, "c": 2})),
        (lambda **all_of_it: all_of_it, {"a": 1}, {"a": 1}),
        (lambda *, text: text, {"text": "a"}, "a"),
        (nothing, {"text": "a"}, "called"),
        (functools.partial(by_name, limit=3), {"text": "a"}, ("a", 3, None, date(2026, 1, 1))),
    ],
)
def test_parameters_are_bound_by_name_and_made_of_the_json(
    function: Callable[..., Any], data: dict[str, Any], result: Any, inputs: bool
) -> None:
    assert called(function, data, inputs=[*data] if inputs else None) == result


def one_order(order: Order) -> Any:
    return order


def one_number(limit: int = 5) -> Any:
    return limit


@pytest.mark.parametrize(
    ("function", "data", "result"),
    [
        (one_order, {"order": ORDER, "customer": "not this one"}, AS_ORDER),
        (one_order, ORDER, AS_ORDER),
        (one_number, {"limit": 2}, 2),
        (one_number, {"other": 2}, 5),
        (lambda data=None: data, {"data": 1}, {"data": 1}),
    ],
)
def test_one_parameter_gets_what_has_its_name_else_all_of_it(
    function: Callable[..., Any], data: dict[str, Any], result: Any
) -> None:
    assert called(function, data) == result


def test_what_is_called_data_is_the_whole_data_and_made_of_it_where_it_has_a_type() -> None:
    def all_of_it(data: Order) -> Any:
        return data

    assert called(all_of_it, ORDER) == AS_ORDER
    assert called(all_of_it, ORDER | {"data": 1}) == AS_ORDER


def test_a_typed_dict_is_made_of_what_has_its_name_and_all_of_the_data_is_one_as_it_is() -> None:
    class Dated(TypedDict):
        day: date

    def typed(dated: Dated) -> Any:
        return dated

    assert called(typed, {"dated": {"day": "2026-11-29"}}) == {"day": date(2026, 11, 29)}
    assert called(typed, {"not yet": 1}) == {"not yet": 1}


def test_inputs_that_are_declared_by_their_names_are_meant_also_where_the_first_could_be_all_of_it() -> None:
    assert called(with_defaults, {"data": {"a": 1}, "limit": 5}, inputs=["data", "limit"]) == {"a": 1}
    assert called(with_defaults, {"a": 1, "limit": 6}, inputs=["a", "limit"]) == {"a": 1, "limit": 6, "bound": True}


# What the step gives of its own


def asked_for(text: str, here: StepContext, there: "ServiceRegistry", maybe: "StepContext | None" = None) -> Any:
    return text, here, there, maybe


def annotated(text: str, here: Annotated[StepContext, "mine"], there: Optional["ServiceRegistry"] = None) -> Any:
    return text, here, there, here


OWN = ("a", CONTEXT, SERVICES, CONTEXT)


@pytest.mark.parametrize("function", [asked_for, annotated])
@pytest.mark.parametrize("data", [{"text": "a"}, {"text": "a", "here": 1, "there": 2, "maybe": 3}])
@pytest.mark.parametrize("inputs", [True, False])
def test_an_annotation_asks_for_the_steps_own_whatever_the_data_has(
    function: Callable[..., Any], data: dict[str, Any], inputs: bool
) -> None:
    assert called(function, data, inputs=[*data] if inputs else None) == OWN


def test_annotations_in_text_are_read_and_those_for_type_checkers_alone_ask_too() -> None:
    text = """
from __future__ import annotations
from typing import TYPE_CHECKING
from datetime import date
if TYPE_CHECKING:
    from ia_modules import StepContext
def late(day: date, context: StepContext, own: StepContext | None = None):
    return day, context, own
"""
    names: dict[str, Any] = {"__name__": "late"}
    exec(text, names)  # noqa: S102
    assert called(names["late"], {"day": "2026-11-29", "context": 1}) == (date(2026, 11, 29), CONTEXT, CONTEXT)


@pytest.mark.parametrize(
    ("data", "known", "context", "services"),
    [
        ({"text": "a"}, {}, CONTEXT, SERVICES),
        ({"text": "a"}, {"inputs": ["text"]}, CONTEXT, SERVICES),
        ({"text": "a", "context": 1}, {}, 1, SERVICES),
        ({"text": "a", "services": [2]}, {"inputs": ["text", "services"]}, CONTEXT, [2]),
        ({"text": "a", "services": 2, "context": None}, {"parameters": ("context", "services")}, None, 2),
    ],
)
def test_a_name_asks_for_the_steps_own_only_where_nothing_else_has_it(
    data: dict[str, Any], known: dict[str, Any], context: Any, services: Any
) -> None:
    def named(text: str, context, services):
        return text, context, services

    assert called(named, data, **known) == ("a", context, services)


@pytest.mark.parametrize("data", [ORDER, ORDER | {"order": ORDER}])
def test_what_is_given_of_its_own_is_not_counted(data: dict[str, Any]) -> None:
    def one(order: Order, context, services: ServiceRegistry):
        return order, context, services

    def all_of_it(data, context):
        return data, context

    def alone(context):
        return context

    assert called(one, data) == (AS_ORDER, CONTEXT, SERVICES)
    assert called(all_of_it, data) == (data, CONTEXT)
    assert called(all_of_it, data | {"context": 1}) == (data | {"context": 1}, 1)
    assert called(alone, data) is CONTEXT


# What does not fit


class Range(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def keywords(*, text: str) -> Any:
    return text


def ranged(span: Range) -> Any:
    return span


NO_LIMIT = "state.limit: found nothing; expected a value: 'limit' is a parameter of by_name() without a default."
ALL_OF_IT = "There is no 'order' among customer, so one_order() takes all of it."
NO_NUMBER = "expected a valid integer, unable to parse string as an integer."


@pytest.mark.parametrize(
    ("function", "data", "inputs", "problems"),
    [
        (by_name, {"text": "a"}, None, [NO_LIMIT]),
        (by_name, {"text": "a", "limits": 1}, None, [f"{NO_LIMIT} Did you mean 'limits'?"]),
        (
            by_name,
            {"text": 1, "limit": "five"},
            ["text", "limit"],
            ["inputs.text: found 1; expected a valid string.", f'inputs.limit: found "five"; {NO_NUMBER}'],
        ),
        (
            by_name,
            {"text": "a", "limit": 1, "order": {"lines": [{"price": "x"}]}},
            None,
            [
                "state.order.customer: found nothing; expected a value.",
                'state.order.lines[0].price: found "x"; expected a valid decimal.',
            ],
        ),
        (
            one_order,
            {"customer": 1},
            None,
            [f"state.customer: found 1; expected a valid string. {ALL_OF_IT}"],
        ),
        (
            keywords,
            {"limit": 1},
            None,
            ["state.text: found nothing; expected a value: 'text' is a parameter of keywords() without a default."],
        ),
        (
            ranged,
            {"span": {"low": 2, "high": 1}},
            None,
            ['state.span: found {"low": 2, "high": 1}, which is refused: low is above high; expected another value.'],
        ),
        (with_the_rest, {"text": "a", "b": "x"}, None, [f'state.b: found "x"; {NO_NUMBER}']),
    ],
)
def test_what_does_not_fit_is_said_with_its_path_what_was_found_and_what_was_expected(
    function: Callable[..., Any], data: dict[str, Any], inputs: list[str] | None, problems: list[str]
) -> None:
    with pytest.raises(StepInputError) as refused:
        called(function, data, inputs=inputs)
    assert [str(each) for each in refused.value.problems] == problems
    assert refused.value.step_id == "s"


class Connection:
    pass


def connected(text: str, connection: Connection) -> Any:
    return text, connection


def shared(text: str, share: "Share") -> Any:
    return text, share


@pytest.mark.parametrize(
    ("function", "inputs", "message"),
    [
        (by_name, ["text", "limits"], "no input 'limit', which by_name() takes; there are text, limits"),
        (keywords, [], "no input 'text', which keywords() takes; there are none"),
        (
            connected,
            None,
            "Connection as the type of 'connection' in connected() (Unable to generate pydantic-core",
        ),
        (shared, None, "the annotation of 'share' in shared(), which names what is not there at run time"),
    ],
)
def test_what_can_never_fit_is_refused_when_it_is_loaded(
    function: Callable[..., Any], inputs: list[str] | None, message: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        plan(function, inputs=inputs)
    assert message in str(refused.value)
    assert refused.value.expected


def untyped_context(text: str, context):
    return text, context


def test_a_name_that_parameters_have_and_inputs_do_not_is_explained() -> None:
    with pytest.raises(InvalidValue, match="no input 'context'") as refused:
        plan(untyped_context, inputs=["text"], parameters=("context",))
    assert refused.value.hint == "Annotate it to get the step's own: context: StepContext."


# In a flow


async def test_a_flow_calls_its_functions_by_name_and_they_run_unchanged_without_it() -> None:
    flow = Flow("Typed", parameters={"order": ORDER, "day": "2026-11-29"})

    @flow.step
    async def total(order: Order, *, context: StepContext | None = None) -> Decimal:
        assert context is None or context.step_id == "total"
        return sum((line.price * line.count for line in order.lines), Decimal(0))

    @flow.step(inputs={"total": "{steps.total.output.result}", "day": "{parameters.day}"}, timeout_seconds=60)
    def bill(total: Decimal, day: date, services: ServiceRegistry | None = None) -> dict[str, Any]:
        return {"due": day + timedelta(days=30), "total": total, "unit": services and services.get("unit")}

    _ = total >> bill
    ran = await flow.run(services=SERVICES)
    assert ran["output"]["bill"] == {"due": "2026-12-29", "total": "1.50", "unit": "words"}
    assert await total(AS_ORDER) == Decimal("1.50")
    assert bill(Decimal(1), date(2026, 1, 1))["unit"] is None


async def test_what_does_not_fit_is_not_tried_again_and_may_be_gone_on_from() -> None:
    flow = Flow("Unfit", parameters={"limit": "many"})

    @flow.step(retry={"max_attempts": 3, "initial_delay": 0}, continue_on_error=True)
    def take(limit: int, more: int = 1) -> int:
        raise AssertionError(limit, more)

    ran = await flow.run()
    assert ran["output"]["take"]["error_type"] == "StepInputError"
    assert 'its state does not fit take():\n- state.limit: found "many"' in ran["output"]["take"]["error_message"]


def test_what_can_never_fit_is_a_problem_of_the_definition() -> None:
    flow = Flow("Unfit")

    @flow.step(inputs={"text": "a"})
    def cut(text: str, limit: int) -> str:
        return text[:limit]

    with pytest.raises(PipelineDefinitionError, match=r"\$\.steps\[0\]\.inputs: found no input 'limit', which cut\(\)"):
        flow.load()


# There and back


class Point(NamedTuple):
    x: int
    at: datetime | None


@dataclasses.dataclass
class Parcel:
    content: bytes
    weight: Decimal
    label: str | None = None
    inner: "list[Parcel]" = dataclasses.field(default_factory=list["Parcel"])


class Colour(Enum):
    RED = "red"
    NUMBER = 7


class Noted(TypedDict):
    colour: Colour
    note: NotRequired[bytes]


class Everything(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    by_alias: int = Field(alias="byAlias")
    at: datetime
    parts: dict[int, Parcel]
    points: tuple[Point, ...]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12)
points = st.builds(Point, st.integers(-(2**63), 2**63 - 1), st.none() | moments)
noted = st.fixed_dictionaries({"colour": st.sampled_from(Colour)}, optional={"note": st.binary(max_size=9)})


def few(each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, max_size=2)


def parcels_with(inner: st.SearchStrategy[list[Parcel]]) -> st.SearchStrategy[Parcel]:
    return st.builds(Parcel, st.binary(max_size=9), decimals, st.none() | text, inner)


parcels = parcels_with(few(parcels_with(st.just([]))))  # deeper ones take long to draw and show no more

everything = st.builds(
    Everything,
    byAlias=st.integers(0, 9),
    at=moments,
    parts=st.dictionaries(st.integers(0, 9), parcels, max_size=2),
    points=few(points).map(tuple),
)
ANNOTATED: Mapping[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    str: text,
    bytes: st.binary(max_size=20),
    datetime: moments,
    date: st.dates(),
    time: st.times(),
    timedelta: st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    Decimal: decimals,
    UUID: st.uuids(),
    Path: st.sampled_from([Path("a/b"), Path("/"), Path("a b.txt")]),
    Colour: st.sampled_from(Colour),
    Point: points,
    Parcel: parcels,
    Noted: noted,
    Everything: everything,
    set[date]: st.sets(st.dates(), max_size=3),
    frozenset[Point]: st.frozensets(points, max_size=3),
    tuple[int, bytes]: st.tuples(st.integers(0, 9), st.binary(max_size=9)),
    list[Parcel]: few(parcels),
    dict[str, Noted]: st.dictionaries(text, noted, max_size=2),
    UUID | None: st.none() | st.uuids(),
    int | list[bytes]: st.integers(0, 9) | few(st.binary(max_size=9)),
    Annotated[int, Field(ge=0)]: st.integers(0, 9),
}


def taking(annotation: Any) -> Callable[..., Any]:
    def taken(value: Any, other: int) -> Any:
        return value

    signature = inspect.signature(taken)
    [value, other] = signature.parameters.values()
    taken.__signature__ = signature.replace(parameters=[value.replace(annotation=annotation), other])
    return taken


@pytest.mark.parametrize("annotation", ANNOTATED, ids=str)
def test_what_was_stored_is_made_again_by_its_annotation(annotation: Any) -> None:
    function = taking(annotation)
    binding: Binding = plan(function)

    @given(ANNOTATED[annotation])
    def it_is_made_again(value: Any) -> None:
        args, kwargs = binding.arguments(encode({"value": value, "other": 1}, "data"), CONTEXT)
        made = function(*args, **kwargs)
        assert made == value
        assert type(made) is type(value)

    it_is_made_again()


@pytest.mark.parametrize("annotation", [list[bytes], Annotated[list[bytes], {"cannot be": "hashed"}]], ids=str)
def test_a_single_value_is_read_as_a_parameter_is(annotation: Any) -> None:
    assert reader_of(annotation)(encode([b"\xff"], "value")) == [b"\xff"]

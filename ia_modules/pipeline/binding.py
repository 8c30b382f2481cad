"""How a function is called with the data of a step: planned once, when its pipeline is loaded.

def score(pages: list[Page], limit: int = 5, *, context: StepContext) -> Score: ...

Each parameter gets what stands under its name in the step's inputs, or in the state where it declares none, made of the
JSON by its annotation. A function that takes one mapping, as ``def score(data)``, needs no plan: it gets all of it.
"""

import functools
import inspect
import json
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import Parameter
from types import GenericAlias, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    Unpack,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict, is_typeddict

from ia_modules.errors import InvalidValue, Problem, StepInputError
from ia_modules.errors.documents import listed
from ia_modules.models import JsonText
from ia_modules.payload import clean_text
from ia_modules.pipeline.core import ServiceRegistry, StepContext
from ia_modules.pipeline.document.json_schema import path_text
from ia_modules.pipeline.document.wording import did_you_mean, shown
from ia_modules.tasks import is_ctrl_c

Injected = Literal["context", "services"]
Source = Literal["context", "services", "name", "whole", "name or whole", "rest"]
"""What a parameter gets: the step's own context or services; of its data what has the parameter's name, all of it, the
one where it is there, else the other; or what no other parameter has taken."""

_INJECTED: Mapping[Injected, type] = {"context": StepContext, "services": ServiceRegistry}
_BY_NAME: Mapping[str, Injected] = {"context": "context", "services": "services"}
_UNREADABLE: Any = object()  # an annotation in text that names what is not there at run time
_REMEMBERED = 256  # readers
_ANYTHING = (Any, object, _UNREADABLE)


@dataclass(frozen=True, slots=True)
class _BoundParameter:
    """A parameter, and what it gets.

    Attributes:
        hint: its type; ``Any`` where it has none.
        spare: what it gets where the data has nothing of its name; None: its default, or nothing.
    """

    parameter: Parameter
    source: Source
    hint: Any
    spare: Injected | None = None

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def may_be_missing(self) -> bool:
        return self.spare is not None or self.parameter.default is not Parameter.empty


class Arguments(NamedTuple):
    args: list[Any]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """The plan of the calls of a function.

    Attributes:
        function: its name, for messages.
        data: what the data is: ``inputs`` or ``state``.
        by_name, whole, rest: what makes values of JSON; None where nothing is to be made.
        is_contract: the step's ``input_schema`` was made of it, so that the one need not be asked besides the other.
    """

    function: str
    data: str
    bound: tuple[_BoundParameter, ...]
    by_name: TypeAdapter[dict[str, Any]] | None
    whole: TypeAdapter[dict[str, Any]] | None
    rest: TypeAdapter[dict[str, Any]] | None
    is_contract: bool = False

    def arguments(self, data: JsonText, context: StepContext, *, item: JsonText | None = None) -> Arguments:
        """What the function is called with, for one attempt.

        Args:
            item: in a map without inputs, the item itself, which is the whole for a parameter that has a type.

        Raises:
            StepInputError: a value is missing, or is not what an annotation says; has every problem with its path.
        """
        values = {} if self.by_name is None else self._read(self.by_name, data, data, context)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for each in self.bound:
            whole = item if item is not None and each.source == "name or whole" else data
            value = self._value(each, values, whole, context)
            if each.source == "rest":
                kwargs |= value
            elif each.source == "whole" or each.parameter.kind is Parameter.POSITIONAL_ONLY:
                args.append(each.parameter.default if value is Parameter.empty else value)
            elif value is not Parameter.empty:
                kwargs[each.name] = value
        return Arguments(args, kwargs)

    def _value(self, bound: _BoundParameter, values: Mapping[str, Any], data: JsonText, context: StepContext) -> Any:
        """The value of a parameter; ``Parameter.empty``: it is left to its default."""
        match bound.source:
            case "context" | "services" as own:
                return _own(own, context)
            case "rest":
                taken = {each.name for each in self.bound if each.source != "rest"}
                rest = {name: value for name, value in orjson.loads(data).items() if name not in taken}
                if self.rest is None:
                    return rest
                text = orjson.dumps({bound.name: rest})
                return self._read(self.rest, text, data, context, whole=True)[bound.name]
            case "whole":
                return self._all_of(bound, data, context)
            case "name" | "name or whole":
                if bound.name in values:
                    return values[bound.name]
                if bound.spare is not None:
                    return _own(bound.spare, context)
                return Parameter.empty if bound.source == "name" else self._all_of(bound, data, context)

    def _all_of(self, bound: _BoundParameter, data: JsonText, context: StepContext) -> Any:
        if self.whole is None:
            return orjson.loads(data)
        return self._read(self.whole, f"{{{json.dumps(bound.name)}:{data}}}", data, context, whole=True)[bound.name]

    def _read(
        self,
        adapter: "TypeAdapter[dict[str, Any]]",
        text: str | bytes,
        data: JsonText,
        context: StepContext,
        *,
        whole: bool = False,
    ) -> dict[str, Any]:
        try:
            return adapter.validate_json(text)
        except ValidationError as wrong:
            errors = wrong.errors(include_url=False)
        problems = [self._problem(error, orjson.loads(data), whole=whole) for error in errors]
        what = listed(
            f"its {self.data} {'do' if self.data == 'inputs' else 'does'} not fit {self.function}():", problems
        )
        raise StepInputError(context.step_id, problems, what=what)

    def _problem(self, error: ErrorDetails, data: Mapping[str, Any], *, whole: bool) -> Problem:
        """A validation error as a problem; in a ``whole``, its place begins with a level that the data has not."""
        name, at = str(error["loc"][0]), error["loc"][whole:]
        where, hint = f"{self.data}{path_text(at)}", ""
        if error["type"] == "missing" and len(at) == 1 and not whole:
            expected = f"a value: {name!r} is a parameter of {self.function}() without a default"
            return Problem(where, "nothing", expected, did_you_mean(name, data))
        if whole and any(each.source == "name or whole" for each in self.bound):
            hint = f"There is no {name!r} among {', '.join(data) or 'nothing'}, so {self.function}() takes all of it."
        match error["type"]:
            case "missing":
                return Problem(where, "nothing", "a value", hint)
            case "value_error" | "assertion_error":
                refused = clean_text(error.get("ctx", {}).get("error"))
                return Problem(where, f"{shown(error['input'])}, which is refused: {refused}", "another value", hint)
            case _:
                return Problem(where, shown(error["input"]), error["msg"].removeprefix("Input should be "), hint)


def binding_of(
    function: Callable[..., Any], *, inputs: Collection[str] | None, parameters: Collection[str]
) -> Binding | None:
    """The plan for a function as a step; None: it is called with the whole data, as it is.

    Args:
        inputs: the names of the inputs that the step declares; None: it is given the state.
        parameters: the names of the pipeline's parameters.

    Raises:
        InvalidValue: it takes what the inputs do not have, or an annotation of which nothing can be made.
    """
    signature, name = _signature(function), _name_of(function)
    if signature is None:
        return None
    hints = {each.name: hint_of(each.annotation, function) for each in signature.parameters.values()}
    bound = _sources(signature, hints, inputs, {*(inputs or ()), *parameters})
    if inputs is not None:
        _check_inputs(name, bound, inputs)
    by_name = {each.name: each for each in bound if each.source in ("name", "name or whole")}
    optional = {each.name for each in by_name.values() if each.may_be_missing or each.source == "name or whole"}
    whole = {each.name: each.hint for each in bound if each.source == "name or whole" and not _is_mapping(each.hint)}
    data_hint = next((each.hint for each in bound if each.source == "whole" and not _is_mapping(each.hint)), None)
    if data_hint is not None and _is_readable(data_hint):
        whole["data"] = data_hint
    if all(each.source == "whole" for each in bound) and not whole:
        return None if bound else Binding(name, "inputs", (), None, None, None)
    rest: dict[str, Any] = {
        each.name: GenericAlias(dict, (str, each.hint))
        for each in bound
        if each.source == "rest" and each.hint is not Any
    }
    return Binding(
        name,
        "state" if inputs is None else "inputs",
        tuple(bound),
        _adapter(name, {each.name: each.hint for each in by_name.values()}, optional),
        _adapter(name, whole),
        _adapter(name, rest),
    )


def _sources(
    signature: inspect.Signature, hints: Mapping[str, Any], inputs: Collection[str] | None, known: Collection[str]
) -> list[_BoundParameter]:
    """What each parameter gets; those that are always left to their defaults are not among them."""
    bound = {name: _by_itself(each, hints[name], known) for name, each in signature.parameters.items()}
    named = [each for each in bound.values() if each.source == "name" and each.spare is None]
    if not named:
        return _without(bound.values(), Parameter.VAR_KEYWORD if _has(signature, Parameter.VAR_POSITIONAL) else None)
    first, others = named[0], named[1:]
    is_positional = first.parameter.kind is not Parameter.KEYWORD_ONLY
    takes_all = first.name == "data" or says_nothing(first.hint)
    is_alone = is_positional and all(each.may_be_missing for each in others)
    if is_alone and takes_all and not (others and first.name in (inputs or ())):
        bound[first.name] = replace(first, source="whole")
        # as it was called before there were plans: with the data alone
        left = {each.name for each in others if each.name not in (inputs or ())}
        return [each for each in bound.values() if each.name not in left and each.parameter.kind not in _VARIADIC]
    if is_positional and not others and not first.may_be_missing and not _has(signature, Parameter.VAR_KEYWORD):
        bound[first.name] = replace(first, source="name or whole")
    return _without(bound.values(), Parameter.VAR_POSITIONAL)


_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _has(signature: inspect.Signature, kind: Any) -> bool:
    return any(each.kind is kind for each in signature.parameters.values())


def _without(bound: Iterable[_BoundParameter], kind: Any) -> list[_BoundParameter]:
    return [each for each in bound if each.parameter.kind is not kind]


def _by_itself(parameter: Parameter, hint: Any, known: Collection[str]) -> _BoundParameter:
    """What a parameter gets, whatever others there are."""
    if parameter.kind is Parameter.VAR_KEYWORD:
        return _BoundParameter(parameter, "rest", Any if hint is _UNREADABLE or get_origin(hint) is Unpack else hint)
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return _BoundParameter(parameter, "whole", Any)
    for own, kind in _INJECTED.items():
        if any(isinstance(each, type) and issubclass(each, kind) for each in alternatives(hint)):
            return _BoundParameter(parameter, own, hint)
    is_spare = parameter.annotation is Parameter.empty and parameter.name not in known
    spare = _BY_NAME.get(parameter.name) if is_spare else None
    return _BoundParameter(parameter, "name", hint, spare)


def _check_inputs(name: str, bound: Iterable[_BoundParameter], inputs: Collection[str]) -> None:
    missing = [each.name for each in bound if each.source == "name" and not each.may_be_missing]
    missing = [each for each in missing if each not in inputs]
    if not missing:
        return
    found = f"no input {', '.join(map(repr, missing))}, which {name}() takes; there are {', '.join(inputs) or 'none'}"
    hint = did_you_mean(missing[0], inputs)
    if (own := _BY_NAME.get(missing[0])) is not None:
        hint = f"Annotate it to get the step's own: {own}: {_INJECTED[own].__name__}."
    raise InvalidValue(found, "an input for each parameter without a default", hint, inside=("inputs",))


def _own(own: Injected, context: StepContext) -> Any:
    return context if own == "context" else context.services


def _adapter(
    name: str, hints: Mapping[str, Any], optional: Collection[str] = ()
) -> "TypeAdapter[dict[str, Any]] | None":
    """What makes a mapping of these types of JSON; None where there are none.

    Raises:
        InvalidValue: pydantic makes nothing of one of them.
    """
    if not hints:
        return None
    try:
        return _made(hints, optional)
    except Exception:
        for each, hint in hints.items():
            _check_hint(name, each, hint)
        raise


def _made(hints: Mapping[str, Any], optional: Collection[str] = ()) -> TypeAdapter[dict[str, Any]]:
    return TypeAdapter(mapping_of("Arguments", hints, optional))


def reader_of(hint: Any) -> Callable[[JsonText], Any]:
    """What makes a value of a type of its JSON, as it is done for parameters; it raises ValidationError."""
    try:
        return _known_reader(hint)
    except TypeError:  # a type that cannot be told from others
        return _known_reader.__wrapped__(hint)


@lru_cache(maxsize=_REMEMBERED)
def _known_reader(hint: Hashable) -> Callable[[JsonText], Any]:
    adapter = _made({"value": hint})
    return lambda text: adapter.validate_json(f'{{"value":{text}}}')["value"]


def mapping_of(name: str, hints: Mapping[str, Any], optional: Collection[str] = ()) -> Any:
    """The type of a mapping that has these keys."""
    fields = {key: NotRequired[hint] if key in optional else hint for key, hint in hints.items()}
    make: Any = TypedDict  # its types are data here
    made = make(name, fields)
    made.__pydantic_config__ = ConfigDict(val_json_bytes="base64")
    return made


def _check_hint(function: str, name: str, hint: Any) -> None:
    expected = "a type that pydantic makes of JSON"
    if hint is _UNREADABLE:
        found = f"the annotation of {name!r} in {function}(), which names what is not there at run time"
        raise InvalidValue(found, expected, "Import it outside of `if TYPE_CHECKING:`.")
    try:
        _made({name: hint})
    except Exception as error:
        found = f"{type_name(hint)} as the type of {name!r} in {function}() ({_first_line(error)})"
        hint = "A connection or a client is a service: services: ServiceRegistry."
        raise InvalidValue(found, expected, hint) from error


def says_nothing(hint: Any) -> bool:
    """Whether a type says no more than that it is a mapping, if that; or names keys, and pydantic cannot read them."""
    if hint in _ANYTHING:
        return True
    is_typed = any(is_typeddict(get_origin(each) or each) for each in alternatives(hint))
    return _is_mapping(hint) and not (is_typed and _is_readable(hint))


def _is_mapping(hint: Any) -> bool:
    """Whether a type is that of mappings: all of the data is one as it is.

    A TypedDict is among them. Its keys often come to a state one after the other, so it is not held to having them all.
    """
    kinds = [get_origin(each) or each for each in alternatives(hint)]
    return all(each in _ANYTHING or (isinstance(each, type) and issubclass(each, Mapping)) for each in kinds)


def _is_readable(hint: Any) -> bool:
    try:
        _made({"it": hint})
    except Exception:  # noqa: BLE001 - user code: a type may say itself how it is read
        return False
    return True


def alternatives(hint: Any, *, with_none: bool = False) -> Iterator[Any]:
    """The types of a union, None left out unless it is wanted; any other type alone."""
    if get_origin(hint) is Annotated:
        yield from alternatives(get_args(hint)[0], with_none=with_none)
    elif get_origin(hint) in (Union, UnionType):
        for each in get_args(hint):
            if with_none or each is not type(None):
                yield from alternatives(each, with_none=with_none)
    else:
        yield hint


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """That of the function itself; of what it stands around where it takes whatever that does. None: it has none."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
        if not hasattr(function, "__wrapped__"):
            return signature
        if [each.kind for each in signature.parameters.values()] == [*_VARIADIC]:
            return inspect.signature(function)
    except (TypeError, ValueError):
        return None
    # functools.wraps has given it the annotations of what it stands around
    return signature.replace(
        parameters=[each.replace(annotation=Parameter.empty) for each in signature.parameters.values()]
    )


def hint_of(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type that an annotation of a function means, ``Any`` without one.

    Those of what the step gives of its own are known also where they are imported for type checkers alone.
    """
    if annotation is Parameter.empty:
        return Any
    names = {kind.__name__: kind for kind in _INJECTED.values()} | _globals_of(function)
    try:
        return get_type_hints(SimpleNamespace(__annotations__={"it": annotation}), names, include_extras=True)["it"]
    except BaseException as error:  # user code: an annotation in text is evaluated
        if is_ctrl_c(error):
            raise
        return _UNREADABLE


def _globals_of(function: Any) -> dict[str, Any]:
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    function = inspect.unwrap(function)
    plain = function if hasattr(function, "__globals__") else getattr(function, "__func__", type(function).__call__)
    return getattr(plain, "__globals__", {})


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _first_line(error: Exception) -> str:
    return clean_text(error).partition("\n")[0]

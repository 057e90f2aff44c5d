"""Settings that people write, checked: what is wrong with them is one line that names the entry.

Imports pydantic: modules that must stay light import this one where they need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from common.errors import UserError, quoted
from common.names import suggest

Model = TypeVar("Model", bound=BaseModel)

Text = Annotated[str, Field(strict=True, min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
"""Text in which no file system stops early: not empty, without NUL."""


class Settings(BaseModel):
    """Base of what a config may say: no entry but the declared ones, and none changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def checked(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Make a model of what somebody wrote.

    Args:
        model: what may be said. Sensible on its own, so that missing entries take their defaults.
        values: what was said, by the names of the entries.
        where: file, task or suite that said it; the message begins with it.

    Raises:
        UserError: an unknown entry (told first: it is often the missing one, misspelt), a missing one or an
            impossible value; in one line, with the remedy.
    """
    try:
        return model(**values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = next((found for found in problems if found["type"] == "extra_forbidden"), problems[0])
        raise UserError(f"{where}: {_message(model, first)}") from None


def _message(model: type[BaseModel], problem: ErrorDetails) -> str:
    entry, kind, value = ".".join(map(str, problem["loc"])), problem["type"], problem["input"]
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = entries(_model_at(model, problem["loc"][:-1]))
        return f"no entry {entry!r}: {suggest(str(problem['loc'][-1]), known)}"
    if kind == "missing":
        return f"{entry} is missing: give it a value"
    if kind == "value_error":  # raised by a validator of ours, which says it all
        reason = str(context.get("error", problem["msg"]))
        return f"{entry}={quoted(value)}: {reason}" if entry else reason
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return f"{entry}={quoted(value)}: {suggest(str(value), choices)}"
    return f"{entry}={quoted(value)}: {_WANTED.get(kind) or problem['msg'].removeprefix('Input ')}"


_WANTED = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "give a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "give a number"),
    **dict.fromkeys(("tuple_type", "list_type"), "give a list"),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), "give dict(...)"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "give True or False"),
    "too_short": "give one at least",
    "string_type": "give text",
    "string_too_short": "give some text",
    "string_pattern_mismatch": "text cannot hold a NUL",
}
"""What to write in the place of a value of another type, by pydantic's name of the mistake."""


def entries(model: type[BaseModel]) -> list[str]:
    """What a config may say of a model, by the names it says them under."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that the entries below `path` belong to."""
    for part in path:
        kinds = [
            kind
            for name, field in model.model_fields.items()
            if part in (name, field.alias)
            for kind in _parts(field.annotation)
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        model = kinds[0] if kinds else model
    return model


def _parts(annotation: Any) -> Iterator[Any]:
    """A type, and the types that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)

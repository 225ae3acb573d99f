"""Options as types: what YAML and JSON hold becomes frozen dataclasses, checked by pydantic; a fault is one line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import typing
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from fashionlib.core.errors import InputError

T = TypeVar("T")

Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+@-]*$")]

_SAID = {
    "int_type": "expected a whole number", "int_from_float": "expected a whole number",
    "float_type": "expected a number", "finite_number": "expected a finite number",
    "bool_type": "expected true or false", "string_type": "expected text",
    "tuple_type": "expected a list", "list_type": "expected a list", "dict_type": "expected a mapping",
    "dataclass_type": "expected a mapping",
    "string_pattern_mismatch": "expected a name of letters, digits and _ . + - @ alone, as of a file",
    "greater_than_equal": "expected {ge} or more", "greater_than": "expected more than {gt}",
    "less_than_equal": "expected {le} at most", "less_than": "expected less than {lt}",
    "too_short": "expected {min_length} or more values", "too_long": "expected {max_length} values",
}  # fmt: skip


class _Yaml12(yaml.SafeLoader):
    """YAML whose numbers are those of version 1.2: 1e-3 is one, which version 1.1 reads as text."""


_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(text: str, where: str) -> Any:
    """What the text says. Raises InputError, in one line, where it is not YAML."""
    try:
        return yaml.load(text, _Yaml12)  # a SafeLoader
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of the dataclass `kind` from `values`, which may hold lists for tuples and mappings for dataclasses.

    Raises InputError that names `where`, the key, the value and what was expected, for the first fault.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected a mapping of options, got {values!r}")
    try:  # through JSON, where strict means no text for numbers but lists for tuples
        return _adapter(kind).validate_json(json.dumps(values, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        raise InputError(_said(kind, error.errors()[0], where)) from error


def choose(value: Any, choices: Iterable[str], where: str) -> None:
    """Raises InputError, with what was perhaps meant, where `value` is none of the choices."""
    known = [*choices]
    if value not in known:
        raise InputError(f"{where}: got {value!r}{_meant(value, known, 'choose one of')}")


_adapter = lru_cache(TypeAdapter)


def _said(kind: Any, fault: Mapping[str, Any], where: str) -> str:
    """One line about what pydantic found wrong in values for `kind`."""
    *above, last = fault["loc"]
    value, problem, given = fault["input"], fault["type"], fault.get("ctx", {})
    place, key = ".".join(map(str, above)), ".".join(str(step) for step in fault["loc"] if step != "[key]")
    if problem == "unexpected_keyword_argument":
        for step in above:
            kind = typing.get_type_hints(kind)[step] if dataclasses.is_dataclass(kind) else typing.get_args(kind)[-1]
        known = [field.name for field in dataclasses.fields(kind)]
        return f"{where}{f', key {place}' * bool(place)}: unknown key {last!r}{_meant(last, known, 'known keys:')}"
    if problem == "missing" and isinstance(last, int):
        return f"{where}, key {place}: expected {last + 1} or more values, got fewer"
    if problem.startswith("missing"):
        return f"{where}: the key {key} is missing"
    if problem == "literal_error":
        known = [each.strip("'") for each in re.split(", | or ", given["expected"])]
        return f"{where}, key {key}: got {value!r}{_meant(value, known, 'choose one of')}"
    said = str(_SAID.get(problem, fault["msg"][:1].lower() + fault["msg"][1:])).format(**given)
    return f"{where}, key {key}: {said}, got {value!r}"


def _meant(value: Any, known: list[str], words: str) -> str:
    """What was perhaps meant, and all that there is."""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(value).lower(), lower, n=1)
    listed = f"{words} {', '.join(known)}"
    return f"; did you mean {lower[near[0]]}? {listed[0].upper()}{listed[1:]}" if near else f"; {listed}"

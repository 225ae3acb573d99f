"""Options as types: what YAML and JSON hold becomes frozen dataclasses, checked by pydantic; a fault is one line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from fashionlib.core.errors import InputError

T = TypeVar("T")

Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy, torch and scikit-learn all take
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+@-]{0,99}$")]

_SAID = {
    "int_type": "expected a whole number", "int_from_float": "expected a whole number",
    "float_type": "expected a number", "finite_number": "expected a finite number",
    "bool_type": "expected true or false", "string_type": "expected text",
    "tuple_type": "expected a list", "list_type": "expected a list", "dict_type": "expected a mapping",
    "dataclass_type": "expected a mapping",
    "string_pattern_mismatch": "expected a name of letters, digits and _ . + - @ alone, 100 at most, as of a file",
    "greater_than_equal": "expected {ge} or more", "greater_than": "expected more than {gt}",
    "less_than_equal": "expected {le} at most", "less_than": "expected less than {lt}",
    "too_short": "expected {min_length} or more values", "too_long": "expected {max_length} values",
}  # fmt: skip


_MOST_SHOWN = 200  # characters of a wrong value
_MOST_YAML = 100_000  # values, each as often as it is named: ten lines of aliases can stand for a billion


class _Yaml12(yaml.SafeLoader):
    """YAML whose numbers are those of version 1.2: 1e-3 is one, which version 1.1 reads as text. A key stands once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, times in keys.items():
            if times > 1:
                raise yaml.composer.ComposerError(None, None, f"the key {key} stands {times} times", node.start_mark)
        return node


_Yaml12.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(text: str, where: str) -> Any:
    """What the text says. Raises InputError, in one line, where it is not YAML."""
    try:
        values = yaml.load(text, _Yaml12)  # a SafeLoader
        too_many = _count(values, {}) > _MOST_YAML
    except RecursionError as error:
        raise InputError(f"{where}: nested too deep, or in itself; write it flat") from error
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:  # the rest: of wrong !!tags
        raise InputError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    if too_many:
        raise InputError(f"{where}: more than {_MOST_YAML:,} values, aliases written out; write less")
    return values


def _count(value: Any, known: dict[int, int]) -> int:
    """How many values it holds, aliases written out. Raises RecursionError where it holds itself."""
    if isinstance(value, (dict, list)) and id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count(part, known) for part in parts)
    return known.get(id(value), 1)


def build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of the dataclass `kind` from `values`, which may hold lists for tuples and mappings for dataclasses.

    Raises InputError that names `where`, the key, the value and what was expected, for the first fault.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected a mapping of options, got {_shown(values)}")
    try:  # through JSON, where strict means no text for numbers but lists for tuples
        return _adapter(kind).validate_json(json.dumps(values, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        raise InputError(_said(kind, error.errors()[0], where)) from error
    except (TypeError, ValueError) as error:  # a date as a key, a number of ten thousand digits
        raise InputError(f"{where}: {error}") from error


def choose(value: Any, choices: Iterable[str], where: str) -> None:
    """Raises InputError, with what was perhaps meant, where `value` is none of the choices."""
    known = [*choices]
    if value not in known:
        raise InputError(f"{where}: got {_shown(value)}{_meant(value, known, 'choose one of')}")


_adapter = lru_cache(TypeAdapter)


def _said(kind: Any, fault: Mapping[str, Any], where: str) -> str:
    """One line about what pydantic found wrong in values for `kind`."""
    if not fault["loc"]:  # no JSON, as half a character
        return f"{where}: {fault['msg']}"
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
        return f"{where}, key {key}: got {_shown(value)}{_meant(value, known, 'choose one of')}"
    said = str(_SAID.get(problem, fault["msg"][:1].lower() + fault["msg"][1:])).format(**given)
    return f"{where}, key {key}: {said}, got {_shown(value)}"


def _shown(value: Any) -> str:
    """The value in a line of bearable length."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} …"


def _meant(value: Any, known: list[str], words: str) -> str:
    """What was perhaps meant, and all that there is."""
    if not known:
        return "; there are none here"
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(value)[:_MOST_SHOWN].lower(), lower, n=1)
    listed = f"{words} {', '.join(known)}"
    return f"; did you mean {lower[near[0]]}? {listed[0].upper()}{listed[1:]}" if near else f"; {listed}"

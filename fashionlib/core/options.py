"""Options out of YAML and JSON: plain mappings become frozen dataclasses, and a wrong key is named."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from fashionlib.core.errors import InputError

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of the dataclass `kind` from `values`.

    Raises InputError, naming `where` and the key, for an unknown or missing key and for a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected a mapping of options, got {values!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"{where}: unknown key {key!r}{hint} Known keys: {', '.join(fields)}")
    hints = typing.get_type_hints(kind)
    converted = {key: _convert(hints[key], value, f"{where}, key {key}") for key, value in values.items()}
    try:
        return kind(**converted)
    except TypeError as error:
        raise InputError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return build(hint, value, where)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(hint) if option is not type(None)]
        return None if value is None else _convert(inner[0], value, where)
    if origin is tuple:
        return _convert_tuple(typing.get_args(hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise InputError(f"{where}: expected {hint.__name__}, got {value!r}")
    if origin is dict and not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a mapping, got {value!r}")
    return value


def _convert_tuple(inner: tuple, value: Any, where: str) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where}: expected a list, got {value!r}")
    if inner[-1] is Ellipsis:
        return tuple(_convert(inner[0], item, where) for item in value)
    if len(value) != len(inner):
        raise InputError(f"{where}: expected {len(inner)} values, got {value!r}")
    return tuple(_convert(hint, item, where) for hint, item in zip(inner, value, strict=True))

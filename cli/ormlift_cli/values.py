"""Values of a TOML table, checked. Every mistake is one line that names the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ormlift_cli.names import unknown

T = TypeVar("T")
Table = Mapping[str, object]


class WrongError(Exception):
    """What is wrong with a value; the file's name is put before it."""


def check_keys(table: Table, known: tuple[str, ...], where: str) -> None:
    """Only keys that are known."""
    for key in table:
        if key not in known:
            raise WrongError(f"{where + ': ' if where else ''}{unknown('key', key, known)}")


def table(value: object, key: str) -> Table:
    """A table."""
    if not isinstance(value, dict):
        raise WrongError(f"{key}: must be a table, not {_kind(value)}")
    return value


def text(value: object, key: str) -> str:
    """Text that is not empty."""
    if value is None:
        raise WrongError(f"{key}: is missing")
    if not isinstance(value, str) or not value:
        raise WrongError(f"{key}: must be text in quotes, not {_kind(value)}")
    return value


def texts(table: Table, key: str, where: str = "") -> tuple[str, ...]:
    """A list of texts."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        name = f"{where}.{key}" if where else key
        raise WrongError(f"{name}: must be a list of texts in quotes, not {_kind(value)}")
    return tuple(value)


def text_or_texts(table: Table, key: str, where: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    return texts({key: [value]} if isinstance(value := table.get(key, []), str) else table, key, where)


def choice(table: Table, key: str, known: tuple[str, ...], where: str = "") -> str:
    """One of the known values; the first where nothing is said."""
    name = f"{where}.{key}" if where else key
    value = text(table.get(key, known[0]), name)
    if value not in known:
        raise WrongError(f"{name}: {unknown('value', value, known)}")
    return value


def each(found: Table, key: str, read: Callable[[Table, str], T]) -> list[T]:
    """The tables of a list of tables."""
    value = found.get(key, [])
    if not isinstance(value, list):
        raise WrongError(f"{key}: must be written [[tool.ormlift.{key}]], as a list of tables")
    return [read(table(item, f"{key}[{n}]"), f"{key}[{n}]") for n, item in enumerate(value, 1)]


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    if value == "":
        return "empty text"
    if isinstance(value, list) and value:
        return "a list that holds something else"
    return names.get(type(value), type(value).__name__)


def whole(table: Table, key: str, default: int, least: int, where: str) -> int:
    """A whole number that is not too small."""
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        given = value if isinstance(value, int) and not isinstance(value, bool) else _kind(value)
        raise WrongError(f"{where}.{key}: must be a whole number from {least} up, not {given}")
    return value


def switch(table: Table, key: str, where: str) -> bool:
    """True or false; false where nothing is said."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise WrongError(f"{where}.{key}: must be true or false, not {_kind(value)}")
    return value

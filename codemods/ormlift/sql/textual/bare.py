"""A bare string executed on a Connection or an Engine, which SQLAlchemy 1.x hands to the driver as it is.

Its placeholders are the driver's, and `%` must be doubled for drivers that replace `%s`, parameters or not. Parameters
come as one tuple, list or dict, as keywords, or one after the other: `execute(sql, 1, "x")`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import NoReturn

from ormlift.project.index import ProjectIndex
from ormlift.sql.life.holes import Hole
from ormlift.sql.life.literals import Parameters, only_value, value_facts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.passed import Passed, has_parameters
from ormlift.sql.textual.receiver import On
from ormlift.sql.textual.told import told

STYLES = {"sqlite": "qmark", "postgresql": "pyformat", "mysql": "pyformat"}
_SCALARS = frozenset(["str", "int", "float", "bool", "number", "bytes", "datetime", "date", "time", "Decimal", "UUID"])
_TYPED = re.compile(r"\b(TIMESTAMP|DATE)(\s+)('(?:[^']|'')*')", re.IGNORECASE)


def is_bare(site: Textual) -> bool:
    """Whether the string goes to the driver as it is; on a session it is made a text()."""
    return site.clause.bare and site.receiver is not None and site.receiver.on is not On.SESSION


def style_of_driver(sql: str, site: Textual, dialect: str) -> str:
    """The style of the placeholders. Raises Refused where an option may tell the driver to leave `%` alone."""
    if "%" in sql and "no_parameters" in site.module.source.text and not has_parameters(site):
        message = f"line {site.line} executes a string with %, and no_parameters may say how the driver reads it"
        raise Refused("execution-options", f"{message}; leave it raw")
    return STYLES[dialect]


def undoubled(sql: str, site: Textual, dialect: str) -> str:
    """The text with values in it as the server gets it. Raises Refused where the driver would look for parameters."""
    if has_parameters(site) or ("%" in sql and dialect != "sqlite" and "%" in sql.replace("%%", "")):
        message = f"values are put into the SQL on line {site.line}; pass them as parameters of a text()"
        raise Refused("dynamic-sql", message)
    return sql if dialect == "sqlite" else sql.replace("%%", "%")


def casts(sql: str, holes: dict[str, Hole]) -> str:
    """`TIMESTAMP '<value>'` as the cast that it is, since no parameter can stand in such a literal."""

    def cast(found: re.Match[str]) -> str:
        holds = any(mark in found[3] for mark in holes)
        return f"CAST({found[3]} AS {found[1]})" if holds else found[0]

    return _TYPED.sub(cast, sql)


def bare_parameters(site: Textual, keys: Sequence[int | str], index: ProjectIndex) -> Passed | None:
    """The parameters, where they are passed as a text() would not take them; None where it would. Raises Refused."""
    values = site.call.args[1:]
    if not values or not all(isinstance(key, int) for key in keys):
        return None
    listed = _listed(values, site, index)
    if listed is None:
        return None
    texts: dict[int | str, str] = {n: site.module.text(node) for n, node in enumerate(listed)}
    return Passed(Parameters(texts, dict(enumerate(listed))))


def _listed(values: Sequence[ast.expr], site: Textual, index: ProjectIndex) -> Sequence[ast.expr] | None:
    """The values one by one; None where they are a tuple. Raises Refused where they may be rows of values."""
    first = values[0]
    if len(values) > 1 or _is_scalar(first, site, index):
        _check_scalar(first, site, index)
        return values
    node = only_value(site.life.flow.of(first), site.module) if isinstance(first, ast.Name) else first
    match node:
        case ast.Tuple(elts=[inner, *_]) | ast.List(elts=[inner, *_]):
            if _holds_rows(inner):
                _refuse_rows(site)
            if isinstance(node, ast.Tuple):
                return None
            _check_scalar(inner, site, index)
            if node is not first:  # a list in a variable, which may have changed since
                _refuse_rows(site)
            return node.elts
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Call() | ast.ListComp() | None:
            _refuse_rows(site)
    return None


def _check_scalar(node: ast.expr, site: Textual, index: ProjectIndex) -> None:
    if not _is_scalar(node, site, index):
        _refuse_rows(site)


def _refuse_rows(site: Textual) -> NoReturn:
    message = f"the parameters on line {site.line} may be a value, a row of values or many rows"
    raise Refused("parameters-unknown", f"{message}; pass a tuple")


def _holds_rows(node: ast.expr) -> bool:
    return isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.ListComp | ast.Starred)


def _is_scalar(node: ast.expr, site: Textual, index: ProjectIndex) -> bool:
    known = value_facts(node, site.life).type or told(Hole(node, many=False, known=""), site.life, index).known
    return known in _SCALARS

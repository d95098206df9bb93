"""What an expression gives: a column of an instance that an event hands in, or of a row; a parameter.

Told for values that are put into SQL text without quotes: a number is a value there, a text is SQL.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from ormlift.model import Reason
from ormlift.project.index import ProjectIndex
from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.arguments import python_type
from ormlift.sql.columntypes import kind_of
from ormlift.sql.life.holes import Hole
from ormlift.sql.life.literals import only_value
from ormlift.sql.life.model import Life
from ormlift.sql.textual.clause import clause_of
from ormlift.sql.textual.handed import Given, Parameter, given_to, parameter_of
from ormlift.syntax import Module, dotted

_TYPES = {"int": "int", "float": "float", "bool": "bool", "numeric": "number", "str": "text"}
_FETCHES = frozenset({"fetchall", "all", "fetchone", "first", "one", "one_or_none", "fetchmany"})
_MARKS = re.compile("[\ue000-\uefff]")
_DEPTH = 4  # how many functions a value is followed through


def told(hole: Hole, life: Life, index: ProjectIndex) -> Hole:
    """The hole, with the type of its number where that can be told; with `text` where it is surely none."""
    if hole.cut:
        whole = told(replace(hole, known="", cut=False), life, index).known in ("int", "bool")
        return replace(hole, cut=not whole)
    if hole.known or hole.many:
        return hole
    return replace(hole, known=_of_row(hole.node, life, index) or _number(hole.node, life.module, index))


def _number(node: ast.expr, module: Module, index: ProjectIndex, seen: frozenset[Parameter] = frozenset()) -> str:
    """The type of a number; empty for what is none, or not surely one."""
    match node:
        case ast.Attribute(value=ast.Name() as owner, attr=attr):
            columns = [m.columns for m in _classes(owner, module, index, seen)]
            return _common({_column_type(next((c for c in of if c.attr == attr), None), index) for of in columns})
        case ast.Name():
            return _of_parameter(node, module, index, seen)
        case _:
            known = python_type(node)
            return known if known in ("int", "float", "bool") else "text" if known == "str" else ""


def _common(found: set[str]) -> str:
    """What several are; a text where one of them is a text."""
    return "text" if "text" in found else found.pop() if len(found) == 1 else ""


def _of_parameter(node: ast.Name, module: Module, index: ProjectIndex, seen: frozenset[Parameter]) -> str:
    parameter = parameter_of(node, module)
    if parameter is None or len(seen) > _DEPTH:
        return ""
    known = seen | {parameter}
    given = [g for g in given_to(parameter, module, index) or () if not _is_itself(g, known)]
    return _common({_number(g.node, g.module, index, known) if g.node is not None else "" for g in given})


def _is_itself(given: Given, seen: frozenset[Parameter]) -> bool:
    return isinstance(given.node, ast.Name) and parameter_of(given.node, given.module) in seen


def _classes(node: ast.Name, module: Module, index: ProjectIndex, seen: frozenset[Parameter]) -> list[MappedClass]:
    """The mapped classes that a parameter may be an instance of; none where one of them is not known."""
    parameter = parameter_of(node, module)
    if parameter is None or len(seen) > _DEPTH:
        return []
    known = seen | {parameter}
    found: list[MappedClass] = []
    for given in given_to(parameter, module, index) or ():
        if given.heard is not None and given.name == "target":
            model = _model(dotted(given.heard.target), given.module, index)
            classes = [model] if model is not None else []
        elif isinstance(given.node, ast.Name) and not _is_itself(given, known):
            classes = _classes(given.node, given.module, index, known)
        else:
            classes = []
        if not classes:
            return []
        found += classes
    return found


def _model(name: str, module: Module, index: ProjectIndex) -> MappedClass | None:
    place = index.place(module.source.path, name) if name else None
    own = place is not None and (place.path, place.name)
    return next((m for m in index.models if own == (m.path, m.name) and not m.is_table), None)


def _column_type(column: MappedColumn | None, index: ProjectIndex) -> str:
    if column is None:
        return ""
    models = {m.table.lower(): m for m in index.models} if not column.type else {}
    return _TYPES.get(kind_of(column, models), "")


def _of_row(node: ast.expr, life: Life, index: ProjectIndex) -> str:
    """`row.id` of a SELECT that the function executes."""
    match node:
        case ast.Attribute(value=ast.Name() as row, attr=key):
            pass
        case ast.Subscript(value=ast.Name() as row, slice=ast.Constant(value=str(key))):
            pass
        case _:
            return ""
    definitions = life.flow.of(row)
    executed = [_executed(d, life) for d in definitions]
    return _common({_selected(call, key, life, index) if call is not None else "" for call in executed})


def _executed(definition: ast.AST, life: Life) -> ast.Call | None:
    """The execution whose rows a definition binds one of: by a loop over them, or by fetching it."""
    parent = life.module.parents.get(definition)
    if isinstance(parent, ast.For | ast.comprehension) and parent.target is definition:
        return _result(parent.iter, life)
    value = only_value(frozenset({definition}), life.module)
    fetched = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _FETCHES
    return _result(value, life) if fetched and value is not None else None


def _result(node: ast.expr, life: Life, depth: int = 4) -> ast.Call | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="execute"), args=[_, *_]):
            return node
        case ast.Call(func=ast.Attribute(value=inner, attr=attr)) if attr in _FETCHES:
            return _result(inner, life, depth)
        case ast.Name() if depth:
            value = only_value(life.flow.of(node), life.module)
            return _result(value, life, depth - 1) if value is not None else None
        case _:
            return None


def _selected(call: ast.Call, key: str, life: Life, index: ProjectIndex) -> str:
    """The type of a column of what is selected of one table."""
    from sqlglot import exp

    from ormlift.sql.read import read

    clause = clause_of(call.args[0], life)
    if clause is None or clause.sql is None:
        return ""
    statement = read(_MARKS.sub("1", clause.sql.value), "", "postgresql")
    if isinstance(statement, Reason) or len(statement.tables) != 1 or not isinstance(statement.tree, exp.Select):
        return ""
    items = [i for i in statement.tree.expressions if i.alias_or_name.lower() == key.lower()]
    tree = items[0].unalias() if len(items) == 1 else None
    if isinstance(tree, exp.Count):
        return "int"
    (schema, table) = statement.tables[0]
    model = index.model_for_table(table, schema) if isinstance(tree, exp.Column) else None
    return _column_type(model.column(tree.name), index) if model is not None and tree is not None else ""

"""What an execution is given: `text(..)`, at once or by a name, with what is bound to it; or a bare string."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ormlift.project.escape.choice import bound_in
from ormlift.sql.life.literals import (
    Parameters,
    Text,
    constant_value,
    is_bound_elsewhere,
    is_enclosed,
    is_surely,
    only_value,
    sql_text,
)
from ormlift.sql.life.model import Life
from ormlift.syntax import FunctionNode, Module, dotted, module_level

_TEXTS = frozenset(["sqlalchemy.text", "sqlalchemy.sql.text", "sqlalchemy.sql.expression.text"])
_OWNERS = frozenset(["sa", "sqlalchemy", "db"])  # `db.text` of Flask-SQLAlchemy


@dataclass(frozen=True)
class Way:
    """One of the statements that a variable may hold."""

    definition: ast.Name
    value: ast.expr  # what is assigned: the `text(..)`
    clause: Clause


@dataclass(frozen=True)
class Clause:
    """The statement that is handed to `execute`."""

    sql: Text | None  # None: put together at run time
    node: ast.expr  # the expression that gives the SQL
    bare: bool = False  # a string that is in no text()
    bound: Mapping[str, ast.expr] = field(default_factory=dict)  # `.bindparams(name=value)`
    expanding: frozenset[str] = frozenset()  # parameters that stand for a list of values
    options: ast.Call | None = None  # `.execution_options(..)` of the text
    problem: str = ""  # what of it is not understood
    variables: tuple[ast.Name, ...] = ()  # definitions of local variables that hold the clause
    ways: tuple[Way, ...] = ()  # it is one of several, as the code went
    passed: Parameters | None = None  # its parameters, where they are set step by step
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # marks for columns, see `built.named`


def clause_of(node: ast.expr, life: Life, depth: int = 4) -> Clause | None:
    """The clause that an expression is, or None where it is none, as far as can be told."""
    match node:
        case ast.Call(args=[inner, *_]) if is_text(node, life.module):
            sql = sql_text(inner, life)
            several = _string_ways(inner, life) if sql is None and isinstance(inner, ast.Name) else ()
            return Clause(sql, inner, ways=several)
        case ast.Call(func=ast.Attribute(value=inner, attr="bindparams" | "columns" | "execution_options" as attr)):
            clause = clause_of(inner, life, depth)
            return _refined(clause, node, attr) if clause is not None and not clause.bare else None
        case ast.Name() if depth:
            return _named(node, life, depth - 1)
        case ast.Attribute():
            return _of_class(node, life, depth) or _bare(node, life)
        case _:
            return _bare(node, life)


def is_text(call: ast.Call, module: Module) -> bool:
    """Whether a call makes SQLAlchemy's text."""
    name = dotted(call.func)
    head, _, rest = name.partition(".")
    if not call.args or not name:
        return False
    target = next(
        (
            found[head]
            for around in module.ancestors(call)
            if isinstance(around, FunctionNode) and head in (found := module.local_imports(around))
        ),
        module.imports.get(head, ""),
    )
    full = f"{target}.{rest}" if rest else target
    made = full in _TEXTS or (rest == "text" and (head in _OWNERS or target.endswith(".db")))
    return made and not _is_hidden(head, call, module)


def _is_hidden(name: str, node: ast.expr, module: Module) -> bool:
    """Whether a function around binds the name to something that it does not import."""
    functions = [a for a in module.ancestors(node) if isinstance(a, FunctionNode)]
    return any(name in bound_in(f) and name not in module.local_imports(f) for f in functions)


def _bare(node: ast.expr, life: Life) -> Clause | None:
    """A string, or what is put together like one."""
    sql = sql_text(node, life)
    if sql is not None:
        return Clause(sql, node, bare=True)
    made = isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Call | ast.BinOp)
        and any(isinstance(n, ast.Constant) and isinstance(n.value, str) and " " in n.value for n in ast.walk(node))
        and (isinstance(node, ast.BinOp) or (isinstance(node.func, ast.Attribute) and node.func.attr == "format"))
    )
    return Clause(None, node, bare=True) if made else None


def _named(node: ast.Name, life: Life, depth: int) -> Clause | None:
    """A variable: of the function with one definition, or of the module."""
    definitions = life.flow.of(node)
    if not definitions and node.id not in life.flow.definitions:
        return _constant(node, life, depth)
    values = [only_value(frozenset({d}), life.module) for d in definitions]
    clauses = [clause_of(v, life, depth) if v is not None else None for v in values]
    if len(clauses) == 1 and clauses[0] is not None:
        (definition,) = definitions
        if not is_surely(definition, node, life):
            return replace(clauses[0], problem="it may not be bound, or another function binds it")
        whole = (definition,) if isinstance(definition, ast.Name) else ()
        return replace(clauses[0], variables=(*clauses[0].variables, *whole))
    texts = [c for c in clauses if c is not None and not c.bare]
    if texts:
        pairs = zip(definitions, values, clauses, strict=True)
        ways = [Way(d, v, c) for d, v, c in pairs if isinstance(d, ast.Name) and v is not None and c is not None]
        complete = len(ways) == len(texts) == len(definitions)
        return Clause(None, node, ways=tuple(sorted(ways, key=lambda w: w.value.lineno)) if complete else ())
    strings = clauses and all(c is not None for c in clauses)
    return Clause(None, node, bare=True) if strings else None


def _string_ways(node: ast.Name, life: Life) -> tuple[Way, ...]:
    """The strings that a variable may hold, one for each way that the code may go."""
    definitions = life.flow.of(node)
    values = {d: only_value(frozenset({d}), life.module) for d in definitions}
    texts = {d: sql_text(v, life) for d, v in values.items() if v is not None}
    ways = [
        Way(d, v, Clause(text, v))
        for d, v in values.items()
        if isinstance(d, ast.Name) and v is not None and (text := texts[d]) is not None
    ]
    return tuple(sorted(ways, key=lambda w: w.value.lineno)) if len(ways) == len(definitions) > 1 else ()


def _constant(node: ast.Name, life: Life, depth: int) -> Clause | None:
    if is_enclosed(node.id, life):
        return None
    life.constants["", node.id] = None
    value = constant_value(node.id, list(module_level(life.module.tree)), life.module)
    clause = clause_of(value, life, depth) if value is not None else None
    return clause if clause is not None and not clause.bare else _bare(node, life)


def _of_class(node: ast.Attribute, life: Life, depth: int) -> Clause | None:
    """`self.QUERY`, a text() that is an attribute of the class."""
    owner = life.module.enclosing_class(life.host) if dotted(node.value) in ("self", "cls") else None
    stores = [
        n
        for n in life.module.parents
        if isinstance(n, ast.Attribute) and n.attr == node.attr and not isinstance(n.ctx, ast.Load)
    ]
    if owner is None or stores or is_bound_elsewhere(node.attr, owner, life.module):
        return None
    life.constants[owner.name, node.attr] = None
    value = constant_value(node.attr, owner.body, life.module)
    clause = clause_of(value, life, depth - 1) if value is not None and depth else None
    return clause if clause is not None and not clause.bare else None


def _refined(clause: Clause, call: ast.Call, attr: str) -> Clause:
    if attr == "execution_options" and clause.options is None:
        return replace(clause, options=call)
    if attr != "bindparams":
        return replace(clause, problem=f".{attr}() is set on it")
    bound, expanding = dict(clause.bound), set(clause.expanding)
    for argument in call.args:
        read = _bindparam(argument)
        if read is None:
            return replace(clause, problem="a bindparam() of it has a type or other options")
        name, value, expands = read
        bound |= {name: value} if value is not None else {}
        expanding |= {name} if expands else set()
    for keyword in call.keywords:
        if keyword.arg is None:
            return replace(clause, problem="its parameters are bound from a mapping")
        bound[keyword.arg] = keyword.value
    return replace(clause, bound=bound, expanding=frozenset(expanding))


def _bindparam(node: ast.expr) -> tuple[str, ast.expr | None, bool] | None:
    """The name of a `bindparam(..)`, its value, and whether it expands."""
    if not isinstance(node, ast.Call) or dotted(node.func).rpartition(".")[2] != "bindparam" or not node.args:
        return None
    name, options = node.args[0], {k.arg: k.value for k in node.keywords}
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str) or set(options) - {"value", "expanding"}:
        return None
    value = node.args[1] if len(node.args) == 2 else options.get("value")
    expands = options.get("expanding")
    if len(node.args) > 2 or (expands is not None and not isinstance(expands, ast.Constant)):
        return None
    return name.value, value, isinstance(expands, ast.Constant) and bool(expands.value)

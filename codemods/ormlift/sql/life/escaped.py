"""Values that the code escapes for SQL by itself before it puts them into a text: bound, they would be so twice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ormlift.sql.life.flow import Flow
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import Module, dotted

_ESCAPES = re.compile(
    r"(?:^|_)(?:escape(?:_?string|_?sql|_?literal)?|sql_?escape|quote(?:_?string|_?sql|_?literal)?|mogrify|adapt)$"
    r"|^literal$|^quotedstring$",
    re.IGNORECASE,
)
_DOUBLED = frozenset([("'", "''"), ("'", "\\'"), ("\\", "\\\\"), ('"', '\\"'), ("%", "%%")])
# What these escape is no SQL: a value that is stored so.
_OTHERS = ("urllib", "html", "markupsafe", "shlex", "re.", "cgi", "xml", "jinja2", "werkzeug", "flask", "bleach")


def unescaped(node: ast.expr) -> ast.expr:
    """The `x` of `x.replace("'", "''")`, which stands in a literal as `x` itself; any other node as it is."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=inner, attr="replace"),
            args=[ast.Constant(value="'"), ast.Constant(value="''")],
            keywords=[],
        ):
            return inner
        case _:
            return node


def check_escaped(values: Iterable[ast.expr], flow: Flow, module: Module) -> None:
    """Refuse values that are escaped, here or where their names are bound. Raises Refused."""
    for node in values:
        found = next((n for n in (*ast.walk(node), *_bound(node, flow, module)) if _is_escaping(n, module)), None)
        if found is not None:
            message = f"line {getattr(found, 'lineno', node.lineno)} escapes a value for SQL, which a parameter is not"
            raise Refused("dynamic-sql", f"{message}; pass it as it is, as a parameter")


def _bound(node: ast.expr, flow: Flow, module: Module) -> Iterator[ast.AST]:
    """What the names in a value are assigned."""
    for name in (n for n in ast.walk(node) if isinstance(n, ast.Name)):
        for definition in flow.of(name):
            parent = module.parents.get(definition)
            if isinstance(parent, ast.Assign | ast.AnnAssign | ast.AugAssign) and parent.value is not None:
                yield from ast.walk(parent.value)


def _is_escaping(node: ast.AST, module: Module) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="replace"), args=[ast.Constant(value=old), ast.Constant(value=new)]):
            return (old, new) in _DOUBLED
        case ast.Call(func=func):
            name = func.attr if isinstance(func, ast.Attribute) else dotted(func)
            head = dotted(func).partition(".")[0]
            other = f"{module.imports.get(head, '')}.".startswith(_OTHERS)
            return bool(_ESCAPES.search(name)) and not other
        case _:
            return False

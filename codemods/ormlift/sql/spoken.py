"""Whether a text that the code says is a statement of SQL, as far as its first words tell."""

from __future__ import annotations

import ast
import re

from ormlift.syntax import Module, dotted, walk_scope

_STATEMENT = re.compile(
    r"""(?:\s|--[^\n]*\n|/\*.*?\*/)*
    (?: select\s | insert\s+(?:or\s+\w+\s+)?(?:ignore\s+)?into\s | update\s+(?:only\s+)?\S+\s.*?\bset\s
      | delete\s+from\s | with\s+(?:recursive\s+)?\S+\s*(?:\([^)]*\)\s*)?as\b | (?:replace|merge)\s+into\s
      | (?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+|materialized\s+|virtual\s+)*
        (?:table|index|view|database|schema|extension|type|sequence|trigger|function|role|user)\b
      | pragma\s+\w | vacuum\b | truncate\s+\S | explain\s+\w | attach\s+(?:database\s|['"?])
      | analyze\s*(?:$|;|\w+) | refresh\s+materialized\s | copy\s+\S+.*?\b(?:from|to)\s
      | lock\s+tables?\s | savepoint\s | grant\s.*?\bon\s )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SAME = frozenset(["format", "strip", "lstrip", "rstrip", "replace", "join"])  # methods of a text that give one like it
_MADE = frozenset(["dedent", "cleandoc", "SQL"])


def is_statement(text: str) -> bool:
    """Whether a text begins as a statement does."""
    return _STATEMENT.match(text) is not None


def speaks_sql(node: ast.expr, module: Module, depth: int = 5) -> bool:
    """Whether an expression gives a text that begins as a statement, in one of the ways that it may come about."""
    if isinstance(node, ast.Name) and depth:
        return any(speaks_sql(value, module, depth - 1) for value in _values(node, module))
    if isinstance(node, ast.IfExp):
        return speaks_sql(node.body, module, depth) or speaks_sql(node.orelse, module, depth)
    return is_statement(_beginning(node, module, depth))


def _beginning(node: ast.expr, module: Module, depth: int) -> str:
    """The text that an expression begins with; a value that is put into it counts as a word."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _beginning(left, module, depth) + _beginning(right, module, depth)
        case ast.BinOp(op=ast.Mod(), left=left):
            return _beginning(left, module, depth)
        case ast.Call(func=ast.Attribute(value=inner, attr=attr)) if attr in _SAME:
            return _beginning(inner, module, depth)
        case ast.Call(args=[inner, *_]) if dotted(node.func).rpartition(".")[2] in _MADE:
            return _beginning(inner, module, depth)
        case ast.Name() if depth:
            texts = [_beginning(value, module, depth - 1) for value in _values(node, module)]
            return next((text for text in texts if is_statement(text)), "x")
        case _:
            return "x"


def _values(name: ast.Name, module: Module) -> list[ast.expr]:
    """What the function around, or else the module, gives to a variable."""
    function = module.enclosing_function(name)
    while function is not None:
        found = _given(name.id, function)
        if found:
            return found
        function = module.enclosing_function(function)
    return _given(name.id, module.tree)


def _given(name: str, host: ast.AST) -> list[ast.expr]:
    found: list[ast.expr] = []
    for node in walk_scope(host):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                found.append(value)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                found.append(value)
            case ast.For(target=ast.Name(id=target), iter=ast.List(elts=items) | ast.Tuple(elts=items)):
                found += items if target == name else []
            case _:
                pass
    return found

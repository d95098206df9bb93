"""What nothing needs any more once a life is rewritten: variables, imports, and names that the file imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from ormlift.model import Op, ReplaceExpr, ReplaceStatement
from ormlift.sql.life.handing import taken
from ormlift.sql.life.holes import item_list, joins
from ormlift.sql.life.model import Does, How, Life
from ormlift.sql.life.statements import Prepared
from ormlift.sql.life.stepped import Stepper
from ormlift.syntax import FunctionNode, dotted, import_targets, walk_scope


def idle_variables(life: Life, prepared: Sequence[Prepared]) -> set[ast.stmt]:
    """Assignments of SQL and parameters that nothing reads any more."""
    if not isinstance(life.host, FunctionNode):
        return set()
    called = {n for p in prepared for a in _arguments(p.execution.call) for n in ast.walk(a)}
    names = [v for p in prepared for v in p.variables if v.id not in life.flow.captured]
    left = {
        name: life.module.statement(name)
        for name in names
        if _does_nothing(life, prepared, life.module.statement(name))
    }
    while True:  # what is read by one that stays, stays
        gone = called.union(*(set(ast.walk(s)) for s in left.values()))
        stays = [name for name in left if not _loads(life, name) <= gone]
        if not stays:
            return set(left.values())
        for name in stays:
            del left[name]


def _loads(life: Life, name: ast.Name) -> set[ast.AST]:
    """Where what is bound to a name here may be read."""
    reaching = life.flow.reaching.items()
    return {n for (n, key), d in reaching if key == name.id and name in d and n is not name}


def _does_nothing(life: Life, prepared: Sequence[Prepared], statement: ast.stmt) -> bool:
    """Whether an assignment can go without a trace: it calls nothing, but to join placeholders."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    if value is not None and joins(value):
        return True
    calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call)]
    joined = {n for c in calls if joins(c) for n in ast.walk(c)}
    return all(c in joined or dotted(c.func) == "str" or _formats(c) or _is_list_of(life, prepared, c) for c in calls)


def _is_list_of(life: Life, prepared: Sequence[Prepared], call: ast.Call) -> bool:
    """`tuple(ids)` of a list whose placeholders were counted, and which is passed itself now."""
    said = item_list(call, life.module)
    lists = {p.parameters.texts[key] for p in prepared for key in p.parameters.many}
    return said in lists and said != life.module.text(call) and said.isidentifier()


def idle_imports(life: Life) -> Iterator[ast.stmt]:
    """Imports inside the function of what opened the connection, where nothing else reads them."""
    name = dotted(life.call.func).partition(".")[0]
    loads = [n for n in ast.walk(life.host) if isinstance(n, ast.Name) and n.id == name]
    if not isinstance(life.host, FunctionNode) or any(n not in ast.walk(life.call) for n in loads):
        return
    if life.how in (How.KEPT, How.HANDED):
        return
    for node in walk_scope(life.host):
        if isinstance(node, ast.Import | ast.ImportFrom) and set(import_targets(node)) == {name}:
            yield node


def unused_names(life: Life, stepper: Stepper, ops: Sequence[Op]) -> tuple[str, ...]:
    """Imported names that the old text used: the driver, the helper."""
    names = set(taken(life, life.session).unused)
    names |= {dotted(life.call.func).partition(".")[0]} if life.how is not How.HANDED else set()
    own = set(life.flow.definitions) if isinstance(life.host, FunctionNode) else set()
    for use in life.uses:
        statement = life.module.statement(use.node)
        if use.does in (Does.SETTING, Does.CURSOR, Does.CLOSE, Does.EXECUTE, Does.CURSOR_BLOCK):
            whole = statement if use.does is Does.SETTING else use.node
            names |= {n.id for n in ast.walk(whole) if isinstance(n, ast.Name)}
    if life.how not in (How.KEPT, How.HANDED):
        names |= {n.id for n in ast.walk(life.call) if isinstance(n, ast.Name)}
    if life.how is How.CLOSING:
        names |= {"closing", "contextlib"}
    names |= stepper.left
    replaced = [op.span for op in ops if isinstance(op, ReplaceExpr | ReplaceStatement)]
    names |= {"json"} if any("json." in life.module.lines[s.line - 1] for s in replaced) else set()
    return tuple(sorted((names - own) & set(life.module.imports)))


def _formats(call: ast.Call) -> bool:
    """`"..".format(..)`."""
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == "format" and isinstance(func.value, ast.Constant)


def _arguments(call: ast.Call) -> Iterable[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]

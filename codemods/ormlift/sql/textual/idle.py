"""Variables that held nothing but the SQL, its text() or its parameters, and that nothing reads any more."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from ormlift.sql.life.holes import joins
from ormlift.sql.life.pure import acts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.textual.clause import is_text
from ormlift.sql.textual.find import Textual
from ormlift.syntax import FunctionNode, dotted


def idle_statements(site: Textual, prepared: Prepared) -> list[ast.stmt]:
    """Assignments that go with the execution."""
    if not isinstance(site.life.host, FunctionNode):
        return []
    arguments = [*site.call.args, *(k.value for k in site.call.keywords)]
    gone = {n for a in arguments for n in ast.walk(a)}
    idle: list[ast.stmt] = []
    names = [name for name in dict.fromkeys(prepared.variables) if name.id not in _read_in(prepared)]
    while names:  # `sql` is idle once the `stmt = text(sql)` that read it is
        found = [name for name in names if _is_idle(name, gone, site)]
        if not found:
            break
        for name in found:
            names.remove(name)
            statement = site.module.statement(name)
            idle.append(statement)
            gone |= set(ast.walk(statement))
    return list(dict.fromkeys(idle))


def _read_in(prepared: Prepared) -> set[str]:
    """The names that the written statement reads."""
    texts = [*prepared.written.above, prepared.written.text] if prepared.written is not None else []
    return {n.id for text in texts for n in ast.walk(ast.parse(text.strip())) if isinstance(n, ast.Name)}


def check_once(site: Textual, prepared: Prepared) -> None:
    """Refuse where a call that gives a value in the text would run twice, since the text stays. Raises Refused."""
    gone = [site.module.statement(site.call), *idle_statements(site, prepared)]
    for hole in site.life.holes.values():
        if acts(hole.node) and site.module.statement(hole.node) not in gone:
            message = f"the text on line {hole.node.lineno} is used for more than line {site.line}, and calls something"
            raise Refused("dynamic-sql", f"{message}; give the value a variable")


def _is_idle(name: ast.Name, gone: set[ast.AST], site: Textual) -> bool:
    flow = site.life.flow
    if name.id in flow.captured or any(n is not name for n in _stores(name, site)):
        return False
    statement = site.module.statement(name)
    if len(site.module.suite(statement)) == 1:
        return False  # a branch would be left with nothing in it
    moved = {n for hole in site.life.holes.values() for n in ast.walk(hole.node)}  # what is bound now
    calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and n not in moved]
    joined = {n for c in calls if joins(c) for n in ast.walk(c)}
    made = all(c in joined or _makes_text(c, site, moved) for c in calls)
    return made and all(n in gone for n in _loads(name, site))


def _makes_text(call: ast.Call, site: Textual, moved: Collection[ast.AST]) -> bool:
    """Whether a call makes a text(), or what is bound to it: nothing else happens in it."""
    name = dotted(call.func).rpartition(".")[2] or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    if (
        name == "format"
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Constant | ast.Name)
    ):
        return not any(acts(a) and a not in moved for a in (*call.args, *(k.value for k in call.keywords)))
    if name == "str" and len(call.args) == 1 and call.args[0] in moved:
        return True
    return is_text(call, site.module) or name in ("bindparams", "bindparam", "execution_options", "dict", "strip")


def _loads(name: ast.Name, site: Textual) -> Iterator[ast.AST]:
    for (node, key), definitions in site.life.flow.reaching.items():
        if key == name.id and name in definitions and node is not name:
            yield node


def _stores(name: ast.Name, site: Textual) -> Iterator[ast.AST]:
    """Other targets of the same assignment."""
    statement = site.module.statement(name)
    if isinstance(statement, ast.Assign):
        yield from (t for t in statement.targets if t is not name)

"""A variable that holds one of several texts: each becomes a statement where it is assigned, parameters and all."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from ormlift.sql.life.bound import is_always_bound, is_shared
from ormlift.sql.life.holes import HELD
from ormlift.sql.life.literals import is_stable
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.textual.clause import Way
from ormlift.sql.textual.find import Textual
from ormlift.syntax import FunctionNode


def check_ways(site: Textual, ways: Sequence[Way], prepared: Iterable[Prepared]) -> None:
    """Refuse where a text is used for more, or where its parameters may not be known yet. Raises Refused."""
    flow, name = site.life.flow, ways[0].definition.id
    gone = set(ast.walk(site.call))
    if not is_always_bound(name, site.call, site.life.host, site.module) or is_shared(name, site.life.host):
        message = f"{name} may not be bound on line {site.line}, or another function binds it; bind it on every way"
        raise Refused("text-options", message)
    for way in ways:
        loads = [n for (n, key), d in flow.reaching.items() if key == name and way.definition in d]
        if any(n not in gone for n in loads) or name in flow.captured or way.definition.id != name:
            message = (
                f"{name} on line {way.definition.lineno} is used for more than line {site.line}; use two variables"
            )
            raise Refused("text-options", message)
        if not isinstance(site.module.parents.get(way.definition), ast.Assign):
            raise Refused("text-options", f"line {way.definition.lineno} annotates what it executes; leave it raw")
    for way, part in zip(ways, prepared, strict=True):
        keys = {s.key for s in part.statement.slots if not str(s.key).startswith(HELD)}  # what stood in the text stays
        nodes = [n for key, n in part.parameters.nodes.items() if key in keys]
        whole = not part.parameters.nodes and bool(part.parameters.texts)  # a dict whose keys are not known
        if _leads_to(site.module.statement(way.value), site) and not _is_stale(name, site):
            continue
        if whole or not all(is_known(n, way.value, site) for n in nodes):
            message = f"the parameters of line {site.line} may not be known yet on line {way.value.lineno}"
            raise Refused("parameters-unknown", f"{message}; bind them before, or execute each text by itself")


def _leads_to(statement: ast.stmt, site: Textual) -> bool:
    """Whether nothing can happen between a statement and the site: it ends its branch, and the site follows."""
    goal = site.module.statement(site.call)
    while True:
        suite = site.module.suite(statement)
        place = suite.index(statement) + 1
        if place < len(suite):
            follower = suite[place]
            while isinstance(follower, ast.With | ast.AsyncWith | ast.Try):
                follower = follower.body[0]
            return follower is goal
        parent = site.module.parents[statement]
        if not isinstance(parent, ast.If):
            return False
        statement = parent


def _is_stale(name: str, site: Textual) -> bool:
    """Whether the statement executed may be one of an earlier round of a loop around."""
    module = site.module
    if not any(isinstance(a, ast.For | ast.AsyncFor | ast.While) for a in module.ancestors(site.call)):
        return False
    return not is_always_bound(name, site.call, site.life.host, site.module)


def is_known(node: ast.expr, place: ast.AST, site: Textual) -> bool:
    """Whether a parameter has its value already where the text is made."""
    if any(isinstance(a, ast.For | ast.AsyncFor | ast.While) for a in site.module.ancestors(site.call)):
        return isinstance(node, ast.Constant)
    return is_stable(node, site.life, site.call) and is_bound(node, place, site)


def is_bound(node: ast.expr, place: ast.AST, site: Textual) -> bool:
    """Whether all names of a parameter are bound where the text is made."""
    return all(_comes_before(n, place, site) for n in ast.walk(node) if isinstance(n, ast.Name))


def _comes_before(name: ast.Name, place: ast.AST, site: Textual) -> bool:
    definitions = site.life.flow.definitions.get(name.id, set())
    if not definitions or not isinstance(site.life.host, FunctionNode):
        return not definitions
    return all(isinstance(d, ast.arg) or _dominates(d, place, site) for d in definitions)


def _dominates(definition: ast.AST, place: ast.AST, site: Textual) -> bool:
    module = site.module
    statement = module.statement(definition)
    around: list[ast.AST] = [module.statement(place), *module.ancestors(place)]
    if isinstance(statement, ast.For | ast.AsyncFor | ast.With | ast.AsyncWith) and statement in around:
        return not isinstance(statement, ast.For | ast.AsyncFor) or _in(place, statement.body)
    if isinstance(statement, ast.For | ast.AsyncFor | ast.While | ast.Try | ast.If):
        return False
    suite = module.suite(statement)
    later = [s for s in suite[suite.index(statement) + 1 :] if s in around]
    return bool(later)


def _in(node: ast.AST, body: list[ast.stmt]) -> bool:
    return any(inner is node for statement in body for inner in ast.walk(statement))

"""Where the code reads an instance, and what it does with it beside that."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.syntax import FunctionNode, dotted, every_node, walk_scope

_LOOKS = frozenset({"inspect", "object_session", "instance_state", "make_transient_to_detached"})
_SHOWS = frozenset({"render_template", "render_template_string", "TemplateResponse"})


def reads_of(statements: list[ast.stmt] | tuple[ast.stmt, ...], name: str, *, many: bool) -> Iterator[ast.Attribute]:
    """The attributes that are read of a name, or of the elements of a list, in source order."""
    nodes = every_node(*statements)
    names = {name}
    if many:
        loops = [n for n in nodes if isinstance(n, ast.For | ast.comprehension) and dotted(n.iter) == name]
        names = {n.target.id for n in loops if isinstance(n.target, ast.Name)}
    found = [n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in names]
    found.sort(key=lambda n: (n.lineno, n.col_offset))
    given: set[str] = set()  # what is set here needs no load any more
    for node in found:
        if isinstance(node.ctx, ast.Load) and node.attr not in given:
            yield node
        elif isinstance(node.ctx, ast.Store):
            given.add(node.attr)


def looks_first(statements: tuple[ast.stmt, ...], name: str) -> bool:
    """Whether the code asks for the state of the instance, and so may know what is loaded."""
    calls = [n for n in every_node(*statements) if isinstance(n, ast.Call)]
    asking = [c for c in calls if dotted(c.func).rpartition(".")[2] in _LOOKS]
    return any(isinstance(a, ast.Name) and a.id == name for c in asking for a in c.args)


def binds(statements: tuple[ast.stmt, ...], name: str) -> bool:
    """Whether statements bind a name anew."""
    nodes = every_node(*statements)
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in nodes)


def bound_once(function: FunctionNode, name: str) -> bool:
    """Whether a function binds a name at one place alone."""
    nodes = [n for n in walk_scope(function) if isinstance(n, ast.Name) and n.id == name]
    return sum(1 for n in nodes if isinstance(n.ctx, ast.Store)) == 1


def set_once(around: ast.ClassDef, attr: str) -> bool:
    """Whether one assignment alone sets an attribute of self, beside those of None."""
    sets = [
        n
        for n in every_node(around)
        if isinstance(n, ast.Assign | ast.AnnAssign)
        and any(dotted(t) == f"self.{attr}" for t in (n.targets if isinstance(n, ast.Assign) else [n.target]))
        and not (isinstance(n.value, ast.Constant) and n.value.value is None)
    ]
    return len(sets) == 1


def is_attached(statements: list[ast.stmt], name: str) -> bool:
    """Whether the instance is put into another session: `db.add(job)`, `db.merge(job)`, `db.refresh(job)`."""
    for node in every_node(*statements):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            taken = node.func.attr in ("add", "merge", "refresh", "add_all", "delete")
            if taken and any(isinstance(a, ast.Name) and a.id == name for a in node.args):
                return True
    return False


def shown(statements: list[ast.stmt] | tuple[ast.stmt, ...], name: str) -> ast.Call | None:
    """The first call that hands an instance to a template: `render_template("job.html", job=job)`."""
    for node in every_node(*statements):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _SHOWS:
            values = [k.value for k in node.keywords]
            values += [v for a in (*node.args, *values) if isinstance(a, ast.Dict) for v in a.values]
            if any(isinstance(v, ast.Name) and v.id == name for v in values):
                return node
    return None

"""Functions that return an instance which they loaded in a session of their own: read in one file, asked in another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.project.bodies import flat
from ormlift.project.handles import Handle, read_handle, read_locals
from ormlift.project.loaded import (
    MANY,
    ONE,
    Loaded,
    SessionBlock,
    commits_behind,
    expunges,
    handles_by_itself,
    loads,
    read_loaded,
    session_blocks,
    touched,
)
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope


@dataclass(frozen=True, slots=True)
class Gives:
    """One function, and what the session does to the instance before it is returned."""

    name: str
    owner: str  # class; empty at module level
    line: int  # of the query
    opener: Handle
    entered: bool  # opened by a with
    model: str  # dotted, as written
    many: bool
    loaded: tuple[str, ...]  # attributes that are loaded beside the columns
    committed: bool  # the block commits behind the last read of it
    expunged: bool
    imports: tuple[tuple[str, str], ...] = ()
    called: str = ""  # what opens the session, dotted, as written
    new: bool = False  # it was made there, and stored
    others: tuple[Gives, ...] = ()  # what it gives on other ways through it, of sessions of their own
    is_loader: bool = False  # Flask-Login's `user_loader`: what it gives is `current_user`


def read_gives(module: Module) -> Iterator[Gives]:
    """All of a file."""
    for node in module.parents:
        if isinstance(node, FunctionNode) and not _is_generator(node):
            found = [_facts(module, node, *one) for one in given_by(module, node)]
            if found:
                yield replace(found[0], others=tuple(found[1:]))


def given_by(module: Module, function: FunctionNode) -> list[tuple[SessionBlock, Loaded, str]]:
    """The blocks, queries and variables of what a function returns; empty where it returns anything else too."""
    returns = [n for n in walk_scope(function) if isinstance(n, ast.Return) and n.value is not None]
    returns = [r for r in returns if not (isinstance(r.value, ast.Constant) and r.value.value is None)]
    if not returns or not all(_may_be_loaded(r.value) for r in returns):
        return []
    blocks = [(block, loads(block)) for block in session_blocks(module, function)]
    found: dict[int, tuple[SessionBlock, Loaded, str]] = {}
    for node in returns:
        way = next((w for block, known in blocks if (w := _returned(node, block, known)) is not None), None)
        if way is None:
            return []
        found.setdefault(id(way[0]), way)
    ways = list(found.values())
    whole = all(not handles_by_itself(b) and (not name or touched(b, name) is not None) for b, _, name in ways)
    return ways if whole and len({(made.model, made.many) for _, made, _ in ways}) == 1 else []


def _may_be_loaded(node: ast.expr | None) -> bool:
    """Whether an expression has the look of a variable, or of a query that is run."""
    node = node.value if isinstance(node, ast.Await) else node
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in ONE | MANY
    return isinstance(node, ast.Name)


def _returned(
    node: ast.Return, block: SessionBlock, known: dict[str, list[Loaded]]
) -> tuple[SessionBlock, Loaded, str] | None:
    """What a return gives of what a block has loaded, by a variable or at once."""
    value = node.value
    if isinstance(value, ast.Name):
        return (block, known[value.id][0], value.id) if len(known.get(value.id, ())) == 1 else None
    inside = block.body[0].lineno <= node.lineno <= (block.body[-1].end_lineno or 0) if block.body else False
    made = read_loaded(value, block.name, {}) if inside and value is not None else None
    return (block, made, "") if made is not None else None


def _facts(module: Module, function: FunctionNode, block: SessionBlock, made: Loaded, name: str) -> Gives:
    owner = module.enclosing_class(function)
    opener = read_handle(block.call, read_locals(function))
    decorators = [dotted(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list]
    return Gives(
        function.name,
        owner.name if owner is not None and function in owner.body else "",
        made.anchor.lineno,
        opener or Handle("any"),
        block.entered,
        made.model,
        made.many,
        tuple(sorted(made.eager | (touched(block, name) or frozenset() if name else frozenset()))),
        bool(name) and commits_behind(block, name, made.model),
        expunges(block),
        _imports(module, function, opener),
        dotted(block.call.func),
        made.new,
        is_loader=any(d.endswith("user_loader") for d in decorators),
    )


def _imports(module: Module, function: FunctionNode, opener: Handle | None) -> tuple[tuple[str, str], ...]:
    """What must be known of the file's imports to tell what opens the session."""
    head = opener.root.partition(".")[0] if opener is not None else ""
    bound = {head: module.imports[head]} if head in module.imports else {}
    return tuple({**bound, **module.local_imports(function)}.items())


def _is_generator(function: FunctionNode) -> bool:
    nodes = (s.value for s in flat(function.body) if isinstance(s, ast.Expr))
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes)

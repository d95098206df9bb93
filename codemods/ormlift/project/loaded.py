"""Sessions that a function opens and ends, and the instances that it loads in them: read without looking elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ormlift.project.bodies import flat
from ormlift.syntax import FunctionNode, Module, dotted, every_node

ONE = frozenset({"first", "one", "one_or_none", "get", "scalar", "scalar_one", "scalar_one_or_none", "first_or_404"})
MANY = frozenset({"all"})
_RUNS = frozenset({"execute", "scalars", "scalar"})
_LEAVES_ALONE = frozenset({"len", "bool", "isinstance", "id", "type", "print", "str", "repr"})
_QUIET = frozenset({"debug", "info", "warning", "error", "exception"})


@dataclass(frozen=True)
class SessionBlock:
    """The statements between a session's opening and its end in one function."""

    name: str
    call: ast.Call  # what opens it
    entered: bool  # by a with
    body: tuple[ast.stmt, ...]
    after: tuple[ast.stmt, ...]  # what runs behind its end, in the same function
    end_line: int


@dataclass(frozen=True)
class Loaded:
    """What a query of a block gives: an instance of a model, or a list of them."""

    model: str  # dotted, as written
    many: bool
    eager: frozenset[str]  # attributes that the query's options name
    anchor: ast.Call  # `session.query(Model)` or `select(Model)`; of `get()` that call
    runs: ast.expr  # the whole expression
    calls: frozenset[str] = frozenset()  # the methods that the query goes through, and options of get()
    new: bool = False  # it was made here, and added to the session


def session_blocks(module: Module, function: FunctionNode) -> Iterator[SessionBlock]:
    """What may be the blocks of sessions: `with <call> as s`, and `s = <call>` with its close."""
    for statement in flat(function.body):
        if isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                call = _call_of(item.context_expr)
                if call is not None and isinstance(item.optional_vars, ast.Name):
                    after = tuple(following(module, function, statement))
                    end = statement.end_lineno or statement.lineno
                    yield SessionBlock(item.optional_vars.id, call, True, tuple(statement.body), after, end)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            call = _call_of(statement.value)
            if call is not None and (found := _closed(module, function, statement, statement.targets[0].id, call)):
                yield found


def _call_of(node: ast.expr) -> ast.Call | None:
    node = node.value if isinstance(node, ast.Await) else node
    return node if isinstance(node, ast.Call) else None


def _closed(module: Module, function: FunctionNode, assign: ast.stmt, name: str, call: ast.Call) -> SessionBlock | None:
    """The block of a session that is closed in a finally, or by a plain statement beside its opening."""
    suite = module.suite(assign)
    rest = suite[next(i for i, s in enumerate(suite) if s is assign) + 1 :]
    for offset, statement in enumerate(rest):
        if isinstance(statement, ast.Try) and any(_closes(s, name) for s in statement.finalbody):
            body = (*rest[:offset], statement)
        elif _closes(statement, name):
            body = tuple(rest[:offset])
        else:
            continue
        after = tuple(following(module, function, statement))
        return SessionBlock(name, call, False, body, after, statement.end_lineno or statement.lineno)
    return None


def _closes(node: ast.stmt, name: str) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return isinstance(value, ast.Call) and dotted(value.func) == f"{name}.close"


def following(module: Module, function: FunctionNode, node: ast.stmt) -> list[ast.stmt]:
    """The statements that run behind a statement, to the end of the function; loops are not gone round."""
    found: list[ast.stmt] = []
    current: ast.AST = node
    while current is not function:
        if isinstance(current, ast.stmt):
            suite = module.suite(current)
            found += suite[next(i for i, s in enumerate(suite) if s is current) + 1 :]
        current = module.parents[current]
    return found


# What is loaded


def loads(block: SessionBlock) -> dict[str, list[Loaded]]:
    """By name, what the block's queries load into it; names that hold anything else too are left out."""
    nodes = every_node(*block.body)
    statements = _statements(nodes)
    added = _added(nodes, block.name)
    found: dict[str, list[Loaded]] = {}
    other: set[str] = set()
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                made = read_loaded(value, block.name, statements) or (_made(value) if name in added else None)
                if made is not None:
                    found.setdefault(name, []).append(made)
                elif not (isinstance(value, ast.Constant) and value.value is None):
                    other.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                pass
            case _:
                pass
    bound = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return {n: made for n, made in found.items() if n not in other and bound.count(n) == len(made)}


def _added(nodes: Sequence[ast.AST], session: str) -> set[str]:
    """The variables whose instances are added to the session."""
    calls = (n for n in nodes if isinstance(n, ast.Call) and dotted(n.func) in (f"{session}.add", f"{session}.add_all"))
    given = (e for c in calls for a in c.args for e in (a.elts if isinstance(a, ast.List | ast.Tuple) else [a]))
    return {e.id for e in given if isinstance(e, ast.Name)}


def _made(node: ast.expr) -> Loaded | None:
    """A new instance, `Job(name="a")`; whether it is of a mapped class shows later."""
    if not isinstance(node, ast.Call) or not dotted(node.func).rpartition(".")[2][:1].isupper():
        return None
    return Loaded(dotted(node.func), False, frozenset(), node, node, new=True)


def _statements(nodes: Sequence[ast.AST]) -> dict[str, ast.expr]:
    """The variables that hold one `select(..)`."""
    found: dict[str, ast.expr] = {}
    twice: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            twice |= {name} & found.keys()
            found[name] = node.value
    return {n: v for n, v in found.items() if n not in twice}


def read_loaded(node: ast.expr, session: str, statements: dict[str, ast.expr]) -> Loaded | None:
    """What an expression loads with the session, or None."""
    chain, root = _chain(node)
    if not chain or root is None or dotted(root) != session:
        return None
    first, last = chain[0], chain[-1]
    assert isinstance(first.func, ast.Attribute)
    assert isinstance(last.func, ast.Attribute)
    method, end = first.func.attr, last.func.attr
    if method == "get" and len(chain) == 1 and len(first.args) >= 2 and dotted(first.args[0]):
        given = frozenset(k.arg for k in first.keywords if k.arg)
        return Loaded(dotted(first.args[0]), False, _options(first), first, node, given)
    if method == "query" and end in ONE | MANY and len(chain) > 1 and not _changes_entity(chain):
        return _entity(first, first, chain, end in MANY, node)
    if method in _RUNS and first.args:
        asked = first.args[0]
        asked = statements.get(asked.id, asked) if isinstance(asked, ast.Name) else asked
        inner, made = _chain(asked)
        select = inner[0] if inner and made is None else asked if isinstance(asked, ast.Call) else None
        ends = {c.func.attr for c in chain if isinstance(c.func, ast.Attribute)}
        single = method == "scalar" or (end in ONE and (method == "scalars" or "scalars" in ends or "scalar" in end))
        many = end in MANY and (method == "scalars" or "scalars" in ends)
        if isinstance(select, ast.Call) and dotted(select.func) == "select" and (single or many):
            return _entity(select, select, [*inner, *chain], many, node)
    return None


def _chain(node: ast.expr) -> tuple[list[ast.Call], ast.expr | None]:
    """The calls of a chain from its first to its last, and what the first is called on; None for a plain function."""
    calls: list[ast.Call] = []
    while True:
        node = node.value if isinstance(node, ast.Await) else node
        if not isinstance(node, ast.Call):
            return calls, node if calls else None
        calls.insert(0, node)
        if not isinstance(node.func, ast.Attribute):
            return calls, None
        node = node.func.value


def _changes_entity(chain: list[ast.Call]) -> bool:
    names = {c.func.attr for c in chain if isinstance(c.func, ast.Attribute)}
    return bool(names & {"with_entities", "add_columns", "add_entity", "from_self", "values"})


def _entity(asked: ast.Call, anchor: ast.Call, chain: list[ast.Call], many: bool, node: ast.expr) -> Loaded | None:
    if len(asked.args) != 1 or not dotted(asked.args[0]):
        return None
    eager = frozenset(name for call in chain for name in _options(call))
    names = frozenset(c.func.attr for c in chain if isinstance(c.func, ast.Attribute))
    return Loaded(dotted(asked.args[0]), many, eager, anchor, node, names)


def _options(call: ast.Call) -> frozenset[str]:
    """The attributes that `.options(joinedload(M.rel))` or `get(.., options=[..])` names."""
    inside: list[ast.expr] = [k.value for k in call.keywords if k.arg == "options"]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "options":
        inside += call.args
    nodes = every_node(*inside)
    names = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    return frozenset(names | {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)})


# What the block does with it


def touched(block: SessionBlock, name: str) -> frozenset[str] | None:
    """The attributes of an instance that the block reads; None where it goes to code that may read any."""
    return attributes_read(block.body, name, block.name)


def attributes_read(statements: Sequence[ast.stmt], name: str, session: str) -> frozenset[str] | None:
    """The attributes that statements read of a name; None where they hand it on."""
    nodes = every_node(*statements)
    read = {n.attr for n in nodes if isinstance(n, ast.Attribute) and dotted(n.value) == name}
    for node in nodes:
        if isinstance(node, ast.Call):
            given = [*node.args, *(k.value for k in node.keywords)]
            if any(isinstance(g, ast.Name) and g.id == name for g in given) and not _is_harmless(node, session):
                return None
        elif isinstance(node, ast.comprehension | ast.For) and dotted(node.iter) == name:
            return None
    return frozenset(read)


def _is_harmless(call: ast.Call, session: str) -> bool:
    func = call.func
    if isinstance(func, ast.Attribute):
        return (dotted(func.value) == session and func.attr in ("add", "delete", "flush")) or func.attr in _QUIET
    return dotted(func) in _LEAVES_ALONE


def handles_by_itself(block: SessionBlock) -> bool:
    """Whether the block refreshes instances, makes others of them, or changes what expires."""
    names = {n.attr for n in every_node(*block.body) if isinstance(n, ast.Attribute)}
    return bool(names & {"expire_on_commit", "refresh", "expire", "expire_all"}) or "make_transient" in ast.unparse(
        ast.Module(list(block.body), [])
    )


def expunges(block: SessionBlock) -> bool:
    """Whether the block takes instances out of the session: a commit does not expire them any more."""
    return any(isinstance(n, ast.Attribute) and n.attr.startswith("expunge") for n in every_node(*block.body))


def commits_behind(block: SessionBlock, name: str, model: str) -> bool:
    """Whether the block commits on its straight way, and reads nothing of the instance behind that.

    A query for its class behind the commit loads it anew.
    """
    straight = [*block.body, *(s for t in block.body if isinstance(t, ast.Try) for s in t.body)]
    commits = [line for s in straight if (line := _commit_line(s, block.name))]
    if not commits:
        return False
    nodes = every_node(*block.body)
    reads = [n.lineno for n in nodes if isinstance(n, ast.Attribute) and dotted(n.value) == name]
    calls = (n for n in nodes if isinstance(n, ast.Call) and n.lineno > max(commits))
    return max(reads, default=0) <= max(commits) and not any(_loads_again(c, block.name, model) for c in calls)


def _commit_line(statement: ast.stmt, session: str) -> int:
    """The line where a statement has committed: its own, or the end of `with session.begin():`."""
    if isinstance(statement, ast.With | ast.AsyncWith):
        begun = any(ast.unparse(i.context_expr) == f"{session}.begin()" for i in statement.items)
        return (statement.end_lineno or 0) if begun else 0
    return (
        statement.lineno if isinstance(statement, ast.Expr) and f"{session}.commit()" in ast.unparse(statement) else 0
    )


def _loads_again(call: ast.Call, session: str, model: str) -> bool:
    """Whether a call of the session may load instances of a class: it names it, or runs a statement by its name."""
    func = call.func
    if (
        not isinstance(func, ast.Attribute)
        or dotted(func.value) != session
        or func.attr not in _RUNS | {"query", "get"}
    ):
        return False
    bare = model.rpartition(".")[2]
    named = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(call)
        if isinstance(n, ast.Name | ast.Attribute)
    }
    return bare in named or (bool(call.args) and isinstance(call.args[0], ast.Name) and func.attr in _RUNS)

"""Functions that are handed a connection or a cursor, and all that they do with it.

What a helper does is told only where every use of the parameter is seen to end with the call: nothing keeps it, closes
it, or returns it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from ormlift.project.sessions import Definitions
from ormlift.syntax import FunctionNode, dotted, every_node, import_targets

NEEDLE = b".execute("
_RECEIVER = re.compile(r"\b(\w+)\.(?:cursor|execute|executemany|executescript)\(")
_DEF = re.compile(r"\bdef[ \t]+\w+[ \t]*\(([^)]*)")
_WORD = re.compile(r"\w+")
_NAMED = re.compile(r"(?:c|cu|cur|curs|\w*cursor|\w*conn|\w*connection|con|cnx|\w*db|dbh)", re.I)
_MEMORY = re.compile(
    r"LAST_INSERT_ID|LAST_INSERT_ROWID|\bCHANGES\s*\(|ROW_COUNT\s*\(|FOUND_ROWS|CONNECTION_ID|LASTVAL|CURRVAL|BACKEND_PID"
    r"|_LOCK\s*\(|ADVISORY|\bTEMP(?:ORARY)?\b|\bLOCK\s+TABLE|^\s*SET\b|\bSET_CONFIG|CURRENT_SETTING|\bPRAGMA\b|\bATTACH\b"
    r"|\bPREPARE\b|\bLISTEN\b|\bDECLARE\b|\bUSE\s+\w+\s*$|\bSAVEPOINT\b|^\s*BEGIN\b|\bSTART\s+TRANSACTION\b|(?<![\w.])@\w",
    re.I,
)


_FIRST = re.compile(
    r"[\s(]*(SELECT|SHOW|WITH|INSERT|UPDATE|DELETE|REPLACE|MERGE|CREATE|DROP|ALTER|TRUNCATE|CALL|EXEC\w*|DO|GRANT)\b",
    re.I,
)


class Does(StrEnum):
    """What a helper does with what it is handed."""

    EXECUTES = "executes"
    COUNTS = "counts"  # takes what `execute(..)` gives as a count
    ASKS = "asks"  # reads rowcount
    TELLS = "tells"  # reads lastrowid
    FETCHES = "fetches"
    COMMITS = "commits"
    ROLLS_BACK = "rolls back"
    BLOCKS = "blocks"  # `with conn:`
    HANDS_ON = "hands on"  # to a function by name
    CALLS = "calls"  # hands it to a function that is a parameter
    KEEPS = "keeps"  # anything else


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a helper does with a parameter."""

    does: Does
    line: int
    name: str = ""  # of what it hands it on to
    key: int | str = 0  # as which argument
    beside: tuple[tuple[int | str, str], ...] = ()  # other arguments: a parameter of the helper's; empty: a plain text


@dataclass(frozen=True, slots=True)
class Helper:
    """One function."""

    name: str
    line: int
    places: tuple[str, ...]  # its parameters that may be given by place
    taken: tuple[tuple[str, tuple[Deed, ...]], ...]  # what it does with those that may be connections or cursors
    settles: str = ""  # it ends with a commit: always (`*`), or where this parameter is true; empty: not surely
    remembers: int = 0  # the line of SQL that asks for, or sets, what the connection remembers; 0: none
    words: frozenset[str] = frozenset()  # the first words of its texts that may be SQL

    def deeds(self, parameter: str) -> tuple[Deed, ...] | None:
        """What it does with one parameter; None where that was not read."""
        return next((deeds for name, deeds in self.taken if name == parameter), None)


def may_help(text: str) -> bool:
    """Whether a file may hold such a function, going by its text."""
    if not any(word in text for word in (".execute(", ".executemany(", ".executescript(")):
        return False
    receivers = set(_RECEIVER.findall(text)) - {"self", "cls", "session"}
    return bool(receivers) and any(receivers & set(_WORD.findall(given)) for given in _DEF.findall(text))


def read_helpers(definitions: Definitions) -> Iterator[Helper]:
    """The functions of a file, not those in classes, that may be handed a connection or a cursor.

    One whose name is bound more than once is left out.
    """
    bound: Counter[str] | None = None
    for definition in definitions.functions:
        helper = None if definition.owner else read_helper(definition.node)
        if helper is not None:
            bound = bound or bound_names(definitions)
            yield from [_without_doubt(helper, bound)] if bound[helper.name] == 1 else []


def _without_doubt(helper: Helper, bound: Counter[str]) -> Helper:
    """The helper, where what it hands on to by a name that is bound more than once keeps it."""
    taken = tuple((name, tuple(_doubted(deed, bound) for deed in deeds)) for name, deeds in helper.taken)
    return replace(helper, taken=taken)


def _doubted(deed: Deed, bound: Counter[str]) -> Deed:
    unclear = deed.does is Does.HANDS_ON and bound[deed.name.partition(".")[0]] > 1
    return replace(deed, does=Does.KEEPS) if unclear else deed


def bound_names(definitions: Definitions) -> Counter[str]:
    """The names that a module binds, each as often as it does, by functions that say `global` too."""
    return Counter(_bound(definitions.statements))


def _bound(statements: list[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, FunctionNode | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from import_targets(statement)
        elif not isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            yield from _stored(statement)
        else:
            yield from _stored(*[n for n in ast.iter_child_nodes(statement) if not isinstance(n, ast.stmt)])
        yield from (name for n in every_node(statement) if isinstance(n, ast.Global) for name in n.names)


def _stored(*nodes: ast.AST) -> Iterator[str]:
    for node in every_node(*nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id


def read_helper(function: FunctionNode) -> Helper | None:
    """What one function does with connections and cursors; None where it takes none, or runs otherwise than at once."""
    arguments = function.args
    places = tuple(a.arg for a in (*arguments.posonlyargs, *arguments.args))
    every = (*places, *(a.arg for a in arguments.kwonlyargs))
    nodes = every_node(function)
    used = {dotted(n.value) for n in nodes if isinstance(n, ast.Attribute) and n.attr in _TELLS}
    named = [n for n in every if n in used or _NAMED.fullmatch(n)]
    if not named or function.decorator_list or isinstance(function, ast.AsyncFunctionDef):
        return None
    if any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) or _sees_all(n) for n in nodes):
        return None
    reader = _Reader(function, nodes, set(every))
    taken = tuple((name, tuple(reader.deeds(name))) for name in named)
    settles, memory = reader.settles(named), remembered(*nodes)
    return Helper(function.name, function.lineno, places, taken, settles, memory, first_words(*nodes))


def remembered(*nodes: ast.AST) -> int:
    """The line of a text among nodes that asks for, or sets, what a connection remembers; 0 where there is none."""
    said = {n.value for n in nodes if isinstance(n, ast.Expr)}  # docstrings
    texts = (n for n in nodes if isinstance(n, ast.Constant) and n not in said)
    return next((n.lineno for n in texts if isinstance(n.value, str) and _MEMORY.search(n.value)), 0)


def first_words(*nodes: ast.AST) -> frozenset[str]:
    """The words that texts among nodes begin with, as far as SQL begins with them."""
    texts = (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return frozenset(m[1].upper() for m in map(_FIRST.match, texts) if m is not None)


def _sees_all(node: ast.AST) -> bool:
    """`locals()` and the like."""
    return isinstance(node, ast.Call) and dotted(node.func) in ("locals", "vars", "eval", "exec", "globals")


_TELLS = frozenset(["execute", "executemany", "executescript", "cursor", "commit", "rollback"])
_RUNS = frozenset(["execute", "executemany", "executescript"])
_READS = (Does.FETCHES, Does.ASKS, Does.TELLS)
_FETCHES = frozenset(["fetchone", "fetchall", "fetchmany"])
_ENDS = {"commit": Does.COMMITS, "rollback": Does.ROLLS_BACK}
_ASKED = {"rowcount": Does.ASKS, "lastrowid": Does.TELLS, "description": Does.FETCHES}
_TAKES_ALL = frozenset(["list", "tuple", "set", "sorted", "dict", "next"])


class _Reader:
    """Reads one function."""

    def __init__(self, function: FunctionNode, nodes: list[ast.AST], parameters: set[str]) -> None:
        self.function, self.nodes, self.parameters = function, nodes, parameters
        self.parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
        self.busy: set[str] = set()  # names that are being read

    def deeds(self, name: str, *, own: bool = False) -> Iterator[Deed]:
        """What is done with a name: a parameter, or a cursor of its own."""
        self.busy.add(name)
        mine = [n for n in self.nodes if isinstance(n, ast.Name) and n.id == name]
        bound = [n for n in mine if not isinstance(n.ctx, ast.Load)]
        if len(bound) > own or any(_binds(node, name) for node in self.nodes):
            yield Deed(Does.KEEPS, self.function.lineno)
        for node in mine:
            for deed in self._use(node, own=own) if isinstance(node.ctx, ast.Load) else ():
                reads = deed.does in _READS and not own and self._reads(node)
                yield replace(deed, does=Does.KEEPS) if reads and not self._is_executed(node) else deed
        self.busy.discard(name)

    def _use(self, node: ast.expr, *, own: bool) -> Iterator[Deed]:
        """One reading of it."""
        parent, keeps = self.parents[node], Deed(Does.KEEPS, node.lineno)
        if self._is_nested(node):
            yield keeps
            return
        match parent:
            case ast.Attribute(value=value) if value is node:
                yield from self._attribute(parent, own=own)
            case ast.For(iter=source) | ast.comprehension(iter=source) if source is node:
                yield Deed(Does.FETCHES, node.lineno)
            case ast.Call(func=ast.Name(id=name)) if name in _TAKES_ALL and parent.args[:1] == [node]:
                yield Deed(Does.FETCHES, node.lineno)
            case ast.Call() if parent.func is not node:
                yield self._handed(parent, node)
            case ast.keyword():
                call = self.parents[parent]
                yield self._handed(call, node, parent.arg) if isinstance(call, ast.Call) and parent.arg else keeps
            case ast.withitem(optional_vars=None) if not own:
                yield Deed(Does.BLOCKS, node.lineno)
            case ast.If(test=test) | ast.IfExp(test=test) | ast.UnaryOp(op=ast.Not(), operand=test) if test is node:
                pass
            case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
                pass
            case _:
                yield keeps

    def _reads(self, node: ast.Name) -> bool:
        """Whether this reads a result of the cursor itself, not of one that is made there and then."""
        parent = self.parents[node]
        return not isinstance(parent, ast.Attribute) or parent.attr not in (*_RUNS, "cursor")

    def _is_executed(self, node: ast.Name) -> bool:
        """Whether the function itself has surely executed on the cursor before it reads: what the caller did is not."""
        inner: ast.AST = node
        while inner is not self.function:
            around = self.parents[inner]
            for suite in _suites(around):
                before = suite[: suite.index(inner)] if isinstance(inner, ast.stmt) and inner in suite else []
                if any(self._executes(statement, node.id) for statement in before):
                    return True
            inner = around
        return False

    def _executes(self, statement: ast.AST, name: str) -> bool:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=said), attr=attr))):
                return said == name and attr in _RUNS
            case ast.Assign(value=ast.Call(func=ast.Attribute(value=ast.Name(id=said), attr=attr))):
                return said == name and attr in _RUNS
            case ast.Try(body=body, handlers=handlers):
                ends = all(_leaves(h.body) or isinstance(h.body[-1], ast.Return) for h in handlers)
                return ends and any(self._executes(s, name) for s in body)
            case _:
                return False

    def _is_nested(self, node: ast.AST) -> bool:
        """Whether something may read it later: a function in the function, a generator."""
        while node is not self.function:
            node = self.parents[node]
            if node is not self.function and isinstance(node, FunctionNode | ast.Lambda | ast.GeneratorExp):
                return True
        return False

    def _attribute(self, node: ast.Attribute, *, own: bool) -> Iterator[Deed]:
        call, line = self.parents[node], node.lineno
        if not isinstance(node.ctx, ast.Load):
            yield Deed(Does.KEEPS, line)
        elif not isinstance(call, ast.Call) or call.func is not node:
            yield Deed(_ASKED.get(node.attr, Does.KEEPS), line)
        elif node.attr in _RUNS:
            yield Deed(Does.EXECUTES, line)
            yield from self._value(call, Does.COUNTS)
        elif node.attr in _FETCHES:
            yield Deed(Does.FETCHES, line)
        elif node.attr in _ENDS and not call.args and not call.keywords:
            yield Deed(_ENDS[node.attr], line)
        elif node.attr == "cursor" and not call.args and not call.keywords and not own:
            yield from self._value(call, Does.KEEPS)
        elif not (node.attr == "close" and own and isinstance(self.parents[call], ast.Expr)):
            yield Deed(Does.KEEPS, line)

    def _value(self, call: ast.Call, otherwise: Does) -> Iterator[Deed]:
        """What is done with what a call gives, a cursor; it is `otherwise` where it is used as none."""
        parent = self.parents[call]
        match parent:
            case ast.Expr():
                return
            case ast.Attribute():
                found = list(self._attribute(parent, own=True))
            case ast.Assign(targets=[ast.Name(id=name)]) if name not in self.busy:
                found = list(self.deeds(name, own=True))
            case ast.withitem(optional_vars=ast.Name(id=name)) if otherwise is Does.KEEPS and name not in self.busy:
                found = list(self.deeds(name, own=True))
            case ast.For(iter=source) | ast.comprehension(iter=source) if source is call:
                found = [Deed(Does.FETCHES, call.lineno)]
            case _:
                found = [Deed(Does.KEEPS, call.lineno)]
        kept = any(deed.does is Does.KEEPS for deed in found)
        yield from [Deed(otherwise, call.lineno)] if kept else found

    def _handed(self, call: ast.Call, node: ast.expr, key: int | str | None = None) -> Deed:
        before = call.args[: call.args.index(node)] if key is None else call.args
        if any(isinstance(a, ast.Starred) for a in before) and key is None:
            return Deed(Does.KEEPS, call.lineno)
        name = dotted(call.func)
        does = Does.CALLS if name in self.parameters else Does.HANDS_ON
        if not name or self._is_stored(name):
            return Deed(Does.KEEPS, call.lineno)
        return Deed(does, call.lineno, name, len(before) if key is None else key, tuple(self._beside(call)))

    def _beside(self, call: ast.Call) -> Iterator[tuple[int | str, str]]:
        """The arguments of a call that are parameters, or plain texts."""
        starred = next((n for n, a in enumerate(call.args) if isinstance(a, ast.Starred)), len(call.args))
        places: list[tuple[int | str | None, ast.expr]] = [*enumerate(call.args[:starred])]
        for key, value in [*places, *((k.arg, k.value) for k in call.keywords)]:
            if key is not None and isinstance(value, ast.Name) and value.id in self.parameters:
                yield from () if self._is_stored(value.id) else ((key, value.id),)
            elif key is not None and isinstance(value, ast.Constant | ast.JoinedStr):
                yield key, ""

    # Its end

    def settles(self, named: list[str]) -> str:
        """Whether it surely ends with a commit: `*`, or the parameter that says so; empty where that is not sure."""
        commits = [n for n in self.nodes if isinstance(n, ast.stmt) and _is_commit(n, named)]
        runs = [n.lineno for n in self.nodes if isinstance(n, ast.Call) and _runs(n, named)]
        returns = [n.lineno for n in self.nodes if isinstance(n, ast.Return)]
        for commit in commits:
            end = commit.end_lineno or commit.lineno
            if all(line <= end for line in runs) and all(line >= commit.lineno for line in returns):
                found = self._condition(commit)
                if found is not None:
                    return found or "*"
        return ""

    def _condition(self, commit: ast.stmt) -> str | None:
        """The parameter on which a statement hangs, empty where it hangs on none; None where it may be passed by."""
        node: ast.AST = commit
        condition = ""
        tried = False
        while node is not self.function:
            inner, node = node, self.parents[node]
            match node:
                case ast.If(test=ast.Name(id=name), body=body) if inner in body and name in self.parameters:
                    if condition or self._is_stored(name):
                        return None
                    condition = name
                case ast.Try(body=body, handlers=handlers) if inner in body:
                    tried = tried or not all(_leaves(h.body) for h in handlers)
                case ast.While(test=ast.Constant(value=True), body=body) if inner in body:
                    if any(isinstance(n, ast.Break) for n in every_node(node)):
                        return None
                    tried = False  # what a handler lets pass begins anew
                case _ if node is not self.function:
                    return None
        return None if tried else condition

    def _is_stored(self, name: str) -> bool:
        """Whether a name is given another value, but for a list or text, which nothing can call."""
        mine = (n for n in self.nodes if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load))
        return any(not _is_plain(self.parents[n]) for n in mine)


def _is_plain(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List | ast.Tuple | ast.JoinedStr)


def _suites(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        value = getattr(node, field, None)
        if isinstance(value, list):
            yield value


def _is_commit(node: ast.stmt, named: list[str]) -> bool:
    """Whether a statement commits when it ends: `conn.commit()`, `with conn:`."""
    match node:
        case ast.Expr(value=ast.Call(func=func)):
            return dotted(func) in {f"{name}.commit" for name in named}
        case ast.With(items=[ast.withitem(context_expr=ast.Name(id=name), optional_vars=None)]):
            return name in named
        case _:
            return False


def _runs(node: ast.Call, named: list[str]) -> bool:
    """Whether a call executes, or is handed what does."""
    handed = [*node.args, *(k.value for k in node.keywords)]
    runs = isinstance(node.func, ast.Attribute) and node.func.attr in _RUNS
    return runs or any(isinstance(a, ast.Name) and a.id in named for a in handed)


def _binds(node: ast.AST, name: str) -> bool:
    """Whether something else than a plain name binds it."""
    match node:
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return name in names
        case ast.alias(name=said, asname=other):
            return (other or said.partition(".")[0]) == name
        case (
            ast.ExceptHandler(name=said)
            | ast.MatchAs(name=said)
            | ast.MatchStar(name=said)
            | ast.MatchMapping(rest=said)
        ):
            return said == name
        case ast.FunctionDef(name=said) | ast.AsyncFunctionDef(name=said) | ast.ClassDef(name=said):
            return said == name
        case _:
            return False


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a handler never goes on behind its try as if nothing were: it raises, or begins the loop anew."""
    match body[-1] if body else None:
        case ast.Raise() | ast.Continue():
            return True
        case ast.If(body=first, orelse=second):
            return _leaves(first) and _leaves(second)
        case _:
            return False

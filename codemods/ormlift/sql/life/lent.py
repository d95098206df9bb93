"""Calls of the project's functions that are handed a connection or cursor, and only use it until they return.

Such a helper can stay raw beside a session: it is handed the session's own connection.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ormlift.project.facts import FileFacts
from ormlift.project.helpers import Deed, Helper, bound_names, first_words, read_helper, read_helpers, remembered
from ormlift.project.helpers import Does as Act
from ormlift.project.index import ProjectIndex
from ormlift.project.sessions import Definitions
from ormlift.schema import SourceKind
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_RAW = (SourceKind.CONNECTION, SourceKind.CONNECTION_AND_CURSOR, SourceKind.CURSOR)
_TEXT = ast.Constant("")
_READS = frozenset({Act.EXECUTES, Act.FETCHES, Act.ASKS})
_DEPTH = 5  # helpers that call helpers are followed this far


@dataclass(frozen=True, eq=False)
class Lent:
    """One call that is handed the life's connection, cursors, or both."""

    call: ast.Call
    given: dict[ast.expr, bool]  # the arguments that are the connection or a cursor, and whether each is a cursor
    acts: frozenset[Act]  # all that is done with them
    commits: bool  # it surely ends with a commit
    reads: bool  # it does no more than to read
    remembers: int  # the line of SQL that asks for, or sets, what the connection remembers; 0: none

    @property
    def said(self) -> str:
        """The call, as a message names it."""
        return f"{dotted(self.call.func)}()"


def settle_lent(
    lives: Sequence[Life],
    module: Module,
    index: ProjectIndex,
    does: Does = Does.ESCAPES,
    to: FunctionNode | None = None,
) -> None:
    """Of each life tell the uses that only lend the connection, or a cursor of it, to such a function.

    Those are looked at that escape, or that hand it on; to one function, where it is given.
    """
    found = [(life, call) for life in lives for call in _calls(life, does) if to is None or _runs(call, to, life)]
    times = Counter(call for _, call in found)
    finder = _Finder(module, index) if found else None
    for life, call in found:
        given = _given(call, life, does)
        lent = finder.lent(call, given, life) if finder is not None and times[call] == 1 else None
        if lent is not None:
            life.lent[call] = lent
            life.uses[:] = [new for use in life.uses for new in _as_lent(use, lent)]


def apart(life: Life, index: ProjectIndex) -> bool:
    """Take a life out of its family, where all that it hands its connection to can stay raw; whether that is so."""
    if life.how is How.HANDED or life.family is None:
        return False
    others = [other for other in life.family.lives if other is not life and other.how is not How.HANDED]
    calls = {use.call for other in others for use in other.where(Does.HANDS, Does.LENT)}
    if any(use.call in calls for use in life.where(Does.HANDS)):
        return False
    settle_lent([life], life.module, index, Does.HANDS)
    if life.where(Does.HANDS):
        return False
    life.family = None
    return True


def lend_out(function: Life, index: ProjectIndex) -> bool:
    """Take a function out of its family, where it can stay raw beside those that hand it theirs; whether that is so."""
    family = function.family
    if family is None or family.trouble is not None or function.how is not How.HANDED or function.where(Does.HANDS):
        return False
    givers = [life for life in family.lives if _hands_to(life, function)]
    before = [(life, list(life.uses), dict(life.lent)) for life in givers]
    assert isinstance(function.host, FunctionNode)
    settle_lent(givers, function.module, index, Does.HANDS, function.host)
    if any(_hands_to(life, function) for life in givers):
        for life, uses, lent in before:
            life.uses[:] = uses
            life.lent.clear()
            life.lent.update(lent)
        return False
    family.lives.remove(function)
    function.family = None
    return True


def _hands_to(life: Life, function: Life) -> bool:
    return any(use.hands is not None and use.hands.function is function.host for use in life.where(Does.HANDS))


def _runs(call: ast.Call, function: FunctionNode, life: Life) -> bool:
    return life.callees is not None and life.callees.function(call) is function


def is_bridge(call: ast.Call, host: ast.AST, module: Module) -> bool:
    """Whether a call makes a cursor of a session's own connection, to hand it to a helper: what `bridge` writes."""
    func, parent = call.func, module.parents[call]
    if not isinstance(func, ast.Attribute) or func.attr != "cursor" or not isinstance(parent, ast.Call | ast.keyword):
        return False
    if not isinstance(func.value, ast.Name):
        return _is_of_session(func.value)
    given = [n for n in walk_scope(host) if isinstance(n, ast.Assign) and dotted(n.targets[0]) == func.value.id]
    return bool(given) and all(_is_of_session(n.value) for n in given)


def _is_of_session(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(
            value=ast.Attribute(value=ast.Call(func=ast.Attribute(attr="connection")), attr="connection"),
            attr="driver_connection" | "connection",
        ):
            return True
        case _:
            return False


def _calls(life: Life, does: Does) -> list[ast.Call]:
    """The calls among whose arguments the life's connection or a cursor escapes, or is handed on."""
    kept = life.how is How.HANDED or (life.how is How.KEPT and not life.given)
    if life.is_async or life.source.kind not in _RAW or kept:
        return []
    around = (_argument_of(node, life.module) for use in life.where(does) if (node := _node(use)) is not None)
    found = dict.fromkeys(call for call in around if call is not None)
    return [call for call in found if not _is_later(call, life)]


def _node(use: Use) -> ast.expr | None:
    """The argument that a use may be: a name, or what makes a cursor there and then."""
    node = use.hands.given if use.hands is not None else use.node
    return node if isinstance(node, ast.Name) or _is_cursor_call(node) else None


def _is_cursor_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cursor"


def _is_later(call: ast.Call, life: Life) -> bool:
    """Whether a call stands in a function in the function, or a generator, and may run when the session is closed."""
    around = list(life.module.ancestors(call))
    inside = around[: around.index(life.host)]
    return any(isinstance(a, FunctionNode | ast.ClassDef | ast.Lambda | ast.GeneratorExp) for a in inside)


def _argument_of(node: ast.expr, module: Module) -> ast.Call | None:
    """The call that an expression is an argument of."""
    parent = module.parents[node]
    call = module.parents[parent] if isinstance(parent, ast.keyword) else parent
    return call if isinstance(call, ast.Call) and call.func is not node else None


def _given(call: ast.Call, life: Life, does: Does) -> dict[ast.expr, bool]:
    """The arguments that are the life's, where each is so for no other reason, and whether each is a cursor."""
    values = {*call.args, *(k.value for k in call.keywords)}
    times = Counter(_node(use) for use in life.where(does, Does.ESCAPES))
    nodes = [(_node(use), bool(use.cursor)) for use in life.where(does)]
    mine = [(n, is_cursor) for n, is_cursor in nodes if n is not None and n in values and times[n] == 1]
    return {node: is_cursor or _is_cursor_call(node) for node, is_cursor in mine}


def _as_lent(use: Use, lent: Lent) -> Iterator[Use]:
    """What becomes of a use; the making of a cursor among the arguments goes with the call."""
    if use.does in (Does.ESCAPES, Does.HANDS) and _node(use) in lent.given:
        yield Use(Does.LENT, lent.call, use.receiver, use.cursor)
    elif use.does is not Does.CURSOR or use.node not in lent.given:
        yield use


class _Finder:
    """Finds the helpers that calls run."""

    def __init__(self, module: Module, index: ProjectIndex) -> None:
        self.module, self.index = module, index
        definitions = Definitions(module.tree)
        self.own = {helper.name: helper for helper in read_helpers(definitions)}
        self.bound = bound_names(definitions)

    def lent(self, call: ast.Call, given: dict[ast.expr, bool], life: Life) -> Lent | None:
        """What a call does with the arguments that are given; None where one may outlive it, or can't be followed."""
        found = self._method(call, life) or self._helper(call.func, life)
        if found is None or any(isinstance(a, ast.Starred) for a in call.args):
            return None
        if any(keyword.arg is None for keyword in call.keywords):
            return None
        path, helper = found
        arguments = _arguments(call, helper)
        deeds: list[Deed] = []
        for node in given:
            name = next((n for n, value in arguments.items() if value is node), "")
            done = self._deeds(path, helper, name, arguments, life)
            if done is None:
                return None
            deeds += done
        texts = [n for a in (*call.args, *(k.value for k in call.keywords)) for n in _texts(a, life)]
        memory = helper.remembers or remembered(*texts)
        commits = _is_settled(helper, arguments) and any(d.does in (Act.COMMITS, Act.BLOCKS) for d in deeds)
        acts = frozenset(d.does for d in deeds)
        reads = helper.words | first_words(*texts) == {"SELECT"} and acts <= _READS
        return Lent(call, given, acts, commits, reads, memory)

    def _method(self, call: ast.Call, life: Life) -> tuple[str, Helper] | None:
        """The function of the file that a call surely runs: a method too, where no class below defines it again."""
        function = life.callees.function(call) if life.callees is not None else None
        helper = read_helper(function) if function is not None else None
        if helper is None or function is None:
            return None
        owner = self.module.parents.get(function)
        if isinstance(owner, ast.ClassDef):
            if helper.name in self.index.overridden.get(owner.name, ()):
                return None
            helper = replace(helper, places=helper.places[1:])
        return self.module.source.path, helper

    def _helper(self, func: ast.expr, life: Life) -> tuple[str, Helper] | None:
        """The function of the project that a name in a life's function calls, and its file."""
        name, path = dotted(func), self.module.source.path
        root = name.partition(".")[0]
        local = self.module.local_imports(life.host)
        bound = life.flow.definitions.get(root, set()) if isinstance(life.host, FunctionNode) else set()
        if not name or len(bound) > 1 or any(not isinstance(n, ast.Import | ast.ImportFrom) for n in bound):
            return None
        if not bound and self.bound[root] > 1:
            return None
        if any(root in _bound_around(f) for f in self.module.ancestors(life.host) if isinstance(f, FunctionNode)):
            return None
        if name in self.own and name not in local:
            return path, self.own[name]
        place = self.index.place(path, name, {**self.module.imports, **local})
        return self._helper_at(place.path, place.name) if place.path != path else None

    def _helper_at(self, path: str, name: str) -> tuple[str, Helper] | None:
        if path == self.module.source.path:
            return (path, self.own[name]) if name in self.own else None
        facts = _facts(self.index).get(path)
        found = [h for h in facts.helpers if h.name == name] if facts is not None else []
        return (path, found[0]) if len(found) == 1 else None

    def _deeds(
        self,
        path: str,
        helper: Helper,
        parameter: str,
        arguments: Mapping[str, ast.expr],
        life: Life,
        depth: int = 0,
    ) -> list[Deed] | None:
        """All that is done with one parameter, by helpers of the helper too."""
        deeds = helper.deeds(parameter)
        if deeds is None or depth > _DEPTH:
            return None
        found: list[Deed] = []
        for deed in deeds:
            more: list[Deed] | None = [deed]
            if deed.does is Act.KEEPS:
                return None
            if deed.does is Act.HANDS_ON:
                if path == self.module.source.path and self.bound[deed.name.partition(".")[0]] > 1:
                    return None
                place = self.index.place(path, deed.name)
                more = self._further(self._helper_at(place.path, place.name), deed, arguments, life, depth)
            elif deed.does is Act.CALLS:
                more = self._called(deed, arguments, life, depth)
            if more is None:
                return None
            found += more
        return found

    def _further(
        self,
        inner: tuple[str, Helper] | None,
        deed: Deed,
        arguments: Mapping[str, ast.expr],
        life: Life,
        depth: int,
    ) -> list[Deed] | None:
        """What a function does with what a helper hands on to it."""
        if inner is None or inner[1].remembers:
            return None
        path, helper = inner
        beside = {_name_of(key, helper): arguments.get(said) if said else _TEXT for key, said in deed.beside}
        known = {name: value for name, value in beside.items() if value is not None}
        found = self._deeds(path, helper, _name_of(deed.key, helper), known, life, depth + 1)
        return None if found is None else [deed, *found]

    def _called(self, deed: Deed, arguments: Mapping[str, ast.expr], life: Life, depth: int) -> list[Deed] | None:
        """What a function does that is given as an argument; nothing where a text or a list is."""
        value = arguments.get(deed.name)
        if value is None:
            return None
        if _is_no_function(value, life):
            return []
        return self._further(self._helper(value, life), replace(deed, beside=()), {}, life, depth)


def _bound_around(function: FunctionNode) -> set[str]:
    """What a function around binds, whose names come before the module's."""
    names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    names |= {n.name for n in ast.walk(function) if isinstance(n, FunctionNode | ast.ClassDef) and n is not function}
    return names | {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}


def _facts(index: ProjectIndex) -> dict[str, FileFacts]:
    known = index.gathered.setdefault("facts by path", {facts.path: facts for facts in index.facts})
    assert isinstance(known, dict)
    return known


def _arguments(call: ast.Call, helper: Helper) -> dict[str, ast.expr]:
    """The arguments by the parameters they are given to."""
    found = dict(zip(helper.places, call.args, strict=False))
    return {**found, **{k.arg: k.value for k in call.keywords if k.arg}}


def _name_of(key: int | str, helper: Helper) -> str:
    """The parameter that an argument is given to."""
    if isinstance(key, str):
        return key
    return helper.places[key] if key < len(helper.places) else ""


def _is_settled(helper: Helper, arguments: Mapping[str, ast.expr]) -> bool:
    """Whether a call of a helper surely ends with a commit."""
    said = arguments.get(helper.settles)
    return helper.settles == "*" or (isinstance(said, ast.Constant) and bool(said.value))


def _is_no_function(value: ast.expr, life: Life) -> bool:
    """Whether a value is surely a text or a list."""
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.List() | ast.Tuple() | ast.ListComp() | ast.Dict():
            return True
        case ast.BinOp(left=left, right=right):
            return _is_no_function(left, life) or _is_no_function(right, life)
        case ast.Call(func=ast.Attribute(value=ast.Constant())):
            return True
        case ast.Name():
            given = [_assigned(node, life.module) for node in life.flow.of(value)]
            return bool(given) and all(g is not None and _is_no_function(g, life) for g in given)
        case _:
            return False


def _assigned(node: ast.AST, module: Module) -> ast.expr | None:
    """What an assignment gives a name."""
    statement = module.parents.get(node)
    single = isinstance(statement, ast.Assign) and statement.targets == [node]
    return statement.value if single and isinstance(statement, ast.Assign) else None


def _texts(value: ast.expr, life: Life) -> Iterator[ast.AST]:
    """The nodes of an argument, and of all that the variables in it are given."""
    for node in ast.walk(value):
        yield node
        for bound in life.flow.of(node) if isinstance(node, ast.Name) else ():
            statement = life.module.parents.get(bound)
            if isinstance(statement, ast.Assign | ast.AugAssign):
                yield from ast.walk(statement.value)

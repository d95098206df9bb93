"""Every use of a connection and of its cursors, told what it does."""

from __future__ import annotations

import ast

from ormlift.schema import SourceKind
from ormlift.sql.life.batches import as_many, batch_of
from ormlift.sql.life.drivers import EXECUTE_RETURNS_COUNT
from ormlift.sql.life.model import Does, Handing, How, Life, Receiver, Use
from ormlift.syntax import Module, dotted, walk_scope

_CONNECTION_CALLS = {
    "execute": Does.EXECUTE,
    "executemany": Does.EXECUTE,
    "executescript": Does.MANY,
    "commit": Does.COMMIT,
    "rollback": Does.ROLLBACK,
    "close": Does.CLOSE,
}
_CURSOR_CALLS = {
    "execute": Does.EXECUTE,
    "executemany": Does.EXECUTE,
    "executescript": Does.MANY,
    "callproc": Does.MANY,
    "fetchone": Does.FETCHONE,
    "fetchall": Does.FETCHALL,
    "fetchmany": Does.FETCHMANY,
    "close": Does.CLOSE,
}
_RUNS = frozenset(["execute", "executemany", "executescript", "cursor", "commit", "rollback"])
_OPEN_CALLS = frozenset(["is_connected"])  # which tell whether it is open
_FETCHING_CALLS = {"execute_fetchall": Does.FETCHALL}
_CURSOR_ATTRIBUTES = {"rowcount": Does.ROWCOUNT, "lastrowid": Does.LASTROWID, "description": Does.DESCRIPTION}
_ITERATORS = frozenset(["list", "tuple", "set", "enumerate", "sorted", "map", "filter", "zip", "dict"])
_CLOSERS = ("close", "release", "put", "return")
_EAGER = frozenset(["list", "tuple", "set", "dict", "sum", "min", "max", "any", "all", "sorted", "frozenset"])
_Bound = ast.Name | ast.arg


class Collector:
    """Fills `life.uses` and `life.cursors`. A use that several lives may meet escapes."""

    def __init__(self, life: Life, name: ast.Name | None, cursor: ast.Name | None) -> None:
        self.life = life
        self.module = life.module
        self.flow = life.flow
        self.is_session = life.source.kind in (SourceKind.SESSION, SourceKind.SHARED_SESSION)
        self.is_cursor = life.source.kind is SourceKind.CURSOR
        self.work: list[tuple[_Bound, bool]] = [(name, self.is_cursor)] if name is not None else []
        self.mine: set[ast.AST] = {name} if name is not None else set()
        if cursor is not None:
            self._add_cursor(cursor)
        for parameter, is_one in life.parameters.items():
            self.mine.add(parameter)
            self.work.append((parameter, is_one))
            life.cursors |= {parameter.arg} if is_one else set()

    def run(self) -> None:
        """Collect, until no new cursor turns up."""
        seen: set[ast.AST] = set()
        while self.work:
            bound, is_cursor = self.work.pop(0)
            for node in walk_scope(self.life.host):
                if isinstance(node, ast.Name) and node.id == _said(bound) and bound in self.flow.of(node):
                    if node in seen:
                        continue
                    seen.add(node)
                    (self._of_cursor if is_cursor else self._of_connection)(node)
            for node in self.flow.captured.get(_said(bound), ()):
                self._add(Use(Does.ESCAPES, node, node, node.id))
        if self.is_cursor and self.life.how not in (How.KEPT, How.HANDED):
            self.life.cursors.add(self.life.name)
        self._check_alone()
        self.life.uses.sort(key=lambda use: (use.node.lineno, use.node.col_offset, -(use.node.end_lineno or 0)))

    def keep(self, node: Receiver, *, is_cursor: bool) -> None:
        """Take in one use of a connection or cursor that is kept outside of the function."""
        if is_cursor:
            self.life.cursors.add(dotted(node))
        (self._of_cursor if is_cursor else self._of_connection)(node)

    def _check_alone(self) -> None:
        """A use that another definition may reach too is not ours alone; `= None` before it is."""
        names = {n for n in self.mine if isinstance(n, _Bound)}
        for use in list(self.life.uses):
            if use.receiver is None or use.said in self.life.kept:
                continue
            for other in self.flow.of(use.receiver) - names:
                statement = self.module.parents.get(other)
                if isinstance(statement, ast.Assign) and _is_none(statement.value):
                    if statement not in self.life.inits:
                        self.life.inits.append(statement)
                else:
                    self._add(Use(Does.ESCAPES, use.node, use.receiver, use.cursor))

    def _add(self, use: Use) -> None:
        self.life.uses.append(use)

    def _add_cursor(self, name: ast.Name) -> None:
        self.life.cursors.add(name.id)
        self.mine.add(name)
        self.work.append((name, True))

    # The connection

    def _of_connection(self, name: Receiver) -> None:
        parent = self.module.parents[name]
        if isinstance(parent, ast.Attribute):
            self._connection_attribute(name, parent)
        elif isinstance(parent, ast.withitem) and parent.context_expr is name:
            self._add(Use(Does.BLOCK, name, name))
        elif self._is_test(name):
            if self.life.how is not How.KEPT:
                self._add(Use(Does.TEST, name, name))
        elif (hands := self._handing(name, is_cursor=False)) is not None:
            self._add(Use(Does.HANDS, self._whole(hands.call), name, hands=hands))
        elif isinstance(parent, ast.Call) and self._closes(parent):
            self._add(Use(Does.CLOSE, parent, name))
        else:
            self._add(Use(Does.SESSION if self.is_session else Does.ESCAPES, name, name))

    def _connection_attribute(self, name: Receiver, attribute: ast.Attribute) -> None:
        call = self.module.parents[attribute]
        if isinstance(attribute.ctx, ast.Store):
            self._add(Use(Does.SETTING, attribute, name))
        elif not isinstance(call, ast.Call) or call.func is not attribute:
            self._add(Use(Does.SESSION if self.is_session else Does.ESCAPES, attribute, name))
        elif attribute.attr == "cursor":
            self._new_cursor(call, name)
        elif attribute.attr in ("set_session", "set_isolation_level"):
            self._add(Use(Does.SETTING, self._whole(call), name))
        elif attribute.attr in _OPEN_CALLS and not call.args and self._is_test(call):
            self._add(Use(Does.TEST, call, name))
        elif attribute.attr in _FETCHING_CALLS and self.life.is_async:
            self._fetched(call, name, _FETCHING_CALLS[attribute.attr])
        elif attribute.attr == "execute_insert" and self.life.is_async:
            self._inserted(call, name)
        elif attribute.attr in _CONNECTION_CALLS and not (self.is_session and attribute.attr == "execute"):
            self._connection_call(_CONNECTION_CALLS[attribute.attr], call, name)
        else:
            self._add(Use(Does.SESSION if self.is_session else Does.ESCAPES, call, name))

    def _connection_call(self, does: Does, call: ast.Call, name: Receiver) -> None:
        if does is Does.EXECUTE:
            self._executed(call, name, "")
        else:
            self._add(Use(self._awaited(call, does), self._whole(call), name))

    def _whole(self, call: ast.expr) -> ast.expr:
        """The call, and the await around it."""
        parent = self.module.parents[call]
        return parent if isinstance(parent, ast.Await) else call

    def _awaited(self, call: ast.Call, does: Does) -> Does:
        """What a call does; one that should be awaited and is not, or the other way round, is none that we know."""
        awaited = isinstance(self.module.parents[call], ast.Await)
        return does if awaited is self.life.is_async else Does.ESCAPES

    def _fetched(self, call: ast.Call, name: Receiver, does: Does) -> None:
        """aiosqlite's `await db.execute_fetchall(..)`: both in one."""
        self._add(Use(self._awaited(call, Does.EXECUTE), self._whole(call), name))
        self._add(Use(does, self._whole(call), None))

    def _inserted(self, call: ast.Call, name: Receiver) -> None:
        """aiosqlite's `await db.execute_insert(..)`, which gives a row of the last id alone."""
        whole = self._whole(call)
        parent = self.module.parents[whole]
        cells: list[ast.expr] | None = None
        key = ""
        match parent:
            case ast.Expr():
                cells = []
            case ast.Subscript(value=row, slice=ast.Constant(value=0)) if row is whole:
                cells = [parent]
            case ast.Assign(targets=[ast.Name(id=key) as target]):
                cells = self._cells(target)
                self.mine.add(target)
            case _:
                pass
        does = self._awaited(call, Does.EXECUTE) if cells is not None else Does.ESCAPES
        self._add(Use(does, whole, name, key))
        for cell in cells or []:
            assert isinstance(cell, ast.Subscript)
            self._add(Use(Does.LASTROWID, cell, cell.value if isinstance(cell.value, ast.Name) else None, key))

    def _cells(self, row: ast.Name) -> list[ast.expr] | None:
        """Where the one value of a row is read that a variable holds; None where the row is used for more."""
        found: list[ast.expr] = []
        for node in walk_scope(self.life.host):
            if not isinstance(node, ast.Name) or node.id != row.id or row not in self.flow.of(node):
                continue
            parent = self.module.parents[node]
            match parent:
                case ast.Subscript(slice=ast.Constant(value=0), ctx=ast.Load()) if self.flow.of(node) == {row}:
                    found.append(parent)
                case _:
                    return None
        return None if row.id in self.flow.captured else found

    def _new_cursor(self, call: ast.Call, name: Receiver) -> None:
        whole = self._whole(call)
        parent = self.module.parents[whole]
        match parent:
            case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
                self._add(Use(Does.CURSOR, whole, name, target.id))
                self._add_cursor(target)
            case ast.withitem(optional_vars=ast.Name() as target):
                self._add(Use(Does.CURSOR_BLOCK, call, name, target.id))
                self._add_cursor(target)
            case ast.Call(func=func) if dotted(func) in ("closing", "contextlib.closing"):
                item = self.module.parents[parent]
                if isinstance(item, ast.withitem) and isinstance(item.optional_vars, ast.Name):
                    self._add(Use(Does.CURSOR_BLOCK, parent, name, item.optional_vars.id))
                    self._add_cursor(item.optional_vars)
                else:
                    self._add(Use(Does.ESCAPES, call, name))
            case ast.Attribute(attr="execute" | "executemany"):
                outer = self.module.parents[parent]
                self._add(Use(Does.CURSOR, call, name))
                if isinstance(outer, ast.Call) and outer.func is parent:
                    self._executed(outer, None, "")
                else:
                    self._add(Use(Does.ESCAPES, call, name))
            case _ if whole is call and (hands := self._handing(call, is_cursor=True)) is not None:
                self._add(Use(Does.HANDS, self._whole(hands.call), name, hands=hands))
            case _:
                self._add(Use(Does.CURSOR, call, name))
                self._add(Use(Does.ESCAPES, call, name))

    # Cursors

    def _of_cursor(self, name: Receiver) -> None:
        parent, key = self.module.parents[name], dotted(name)
        if isinstance(parent, ast.Attribute):
            self._cursor_attribute(name, parent)
        elif self._iterates(name):
            self._add(Use(Does.ITERATE, name, name, key))
        elif self._is_test(name):
            if not isinstance(name, ast.Attribute):
                self._add(Use(Does.TEST, name, name, key))
        elif batch := batch_of(name, self.life):
            many, call = as_many(name, batch, self.life), self.module.parents[name]
            assert isinstance(call, ast.Call)
            self._add(Use(Does.EXECUTE if many is not None else Does.MANY, call, name, key, many=many))
        elif (hands := self._handing(name, is_cursor=True)) is not None:
            self._add(Use(Does.HANDS, self._whole(hands.call), name, key, hands))
        elif isinstance(parent, ast.Call) and self._closes(parent):
            self._add(Use(Does.CLOSE, parent, name, key))
        else:
            self._add(Use(Does.ESCAPES, name, name, key))

    def _cursor_attribute(self, name: Receiver, attribute: ast.Attribute) -> None:
        call, key = self.module.parents[attribute], dotted(name)
        if isinstance(call, ast.Call) and call.func is attribute:
            does = _CURSOR_CALLS.get(attribute.attr, Does.ESCAPES)
            if does is Does.EXECUTE:
                self._executed(call, name, key)
            else:
                self._add(Use(self._awaited(call, does), self._whole(call), name, key))
            return
        if isinstance(attribute.ctx, ast.Store):
            does = Does.SETTING if attribute.attr in ("row_factory", "arraysize") else Does.ESCAPES
        else:
            does = _CURSOR_ATTRIBUTES.get(attribute.attr, Does.ESCAPES)
        self._add(Use(does, attribute, name, key))

    def _executed(self, call: ast.Call, receiver: Receiver | None, cursor: str) -> None:
        """One `execute(..)`, and what is done with what it returns."""
        whole = self._whole(call)
        parent = self.module.parents[whole]
        if self._awaited(call, Does.EXECUTE) is Does.ESCAPES and not isinstance(parent, ast.withitem):
            self._add(Use(Does.ESCAPES, call, receiver, cursor))
        match parent:
            case ast.Expr():
                self._add(Use(Does.EXECUTE, whole, receiver, cursor))
            case _ if self.life.source.driver in EXECUTE_RETURNS_COUNT:
                self._add(Use(Does.EXECUTE, whole, receiver, cursor))
                self._add(Use(Does.ROWCOUNT, whole, None, cursor))
            case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
                self._add(Use(Does.EXECUTE, whole, receiver, target.id))
                self._add_cursor(target)
            case ast.withitem(optional_vars=ast.Name() as target):
                self._add(Use(Does.EXECUTE, whole, receiver, target.id))
                self._add_cursor(target)
            case ast.Attribute(attr=attr):
                self._add(Use(Does.EXECUTE, whole, receiver, cursor))
                self._chained(parent, attr, cursor)
            case _ if self._iterates(whole):
                self._add(Use(Does.EXECUTE, whole, receiver, cursor))
                self._add(Use(Does.ITERATE, whole, None, cursor))
            case _:
                self._add(Use(Does.EXECUTE, whole, receiver, cursor))
                self._add(Use(Does.ESCAPES, whole, receiver, cursor))

    def _chained(self, attribute: ast.Attribute, attr: str, cursor: str) -> None:
        outer = self.module.parents[attribute]
        if isinstance(outer, ast.Call) and outer.func is attribute:
            does = _CURSOR_CALLS.get(attr, Does.ESCAPES)
            self._add(Use(self._awaited(outer, does), self._whole(outer), None, cursor))
        else:
            self._add(Use(_CURSOR_ATTRIBUTES.get(attr, Does.ESCAPES), attribute, None, cursor))

    # What an expression stands in

    def _iterates(self, node: ast.expr) -> bool:
        parent = self.module.parents[node]
        match parent:
            case ast.For(iter=source):
                return source is node and not self.life.is_async
            case ast.AsyncFor(iter=source):
                return source is node and self.life.is_async
            case ast.comprehension(iter=source, is_async=waits):
                return source is node and bool(waits) is self.life.is_async
            case ast.Call(func=ast.Name(id=function)):
                return function in _ITERATORS and node in parent.args and not self.life.is_async
            case _:
                return False

    def _is_test(self, node: ast.expr) -> bool:
        parent = self.module.parents[node]
        match parent:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                return test is node
            case ast.UnaryOp(op=ast.Not()):
                return True
            case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.NotEq() | ast.Eq()], comparators=[right]):
                return _is_none(right)
            case ast.BoolOp():
                return self._is_test(parent)
            case ast.Call(func=ast.Name(id="bool")):
                return True
            case _:
                return False

    def _handing(self, given: ast.expr, *, is_cursor: bool) -> Handing | None:
        """What hands it to a function of the file at once; one that only closes what it is handed is a closer."""
        callees = self.life.callees if not self.is_session else None
        hands = callees.handing(given, is_cursor=is_cursor) if callees is not None else None
        if hands is None or _is_late(hands.call, self.module):
            return None
        only_closes = not any(isinstance(n, ast.Attribute) and n.attr in _RUNS for n in ast.walk(hands.function))
        return None if only_closes and self._closes(hands.call) else hands

    def _closes(self, call: ast.Call) -> bool:
        """Whether a call that is handed the connection alone says by its name that it gives it back."""
        name = dotted(call.func).rpartition(".")[2].lower().lstrip("_")
        own_statement = isinstance(self.module.parents.get(call), ast.Expr)
        return own_statement and len(call.args) == 1 and not call.keywords and name.startswith(_CLOSERS)


def _said(bound: _Bound) -> str:
    return bound.arg if isinstance(bound, ast.arg) else bound.id


def _is_late(node: ast.expr, module: Module) -> bool:
    """Whether a node stands in a generator that something else than the same statement may go through."""
    for around in module.ancestors(node):
        if isinstance(around, ast.stmt):
            return False
        if isinstance(around, ast.GeneratorExp):
            call = module.parents[around]
            func = call.func if isinstance(call, ast.Call) else None
            joins = isinstance(func, ast.Attribute) and func.attr == "join"
            if not joins and (func is None or dotted(func) not in _EAGER):
                return True
    return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def binds_by_with(life: Life) -> bool:
    """Whether a `with` statement binds the connection."""
    return life.how in (How.WITH, How.WITH_PAIR, How.CLOSING)

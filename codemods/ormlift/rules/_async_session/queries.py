"""`session.query(..)` on an AsyncSession, which has no such method, to `select(..)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import Fault, ImportNeed, Reason, ReplaceExpr, Severity, Site
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.rules._async_session.words import coroutine_around, refused, repaired
from ormlift.syntax import Module, dotted

_KEPT = frozenset({"filter", "filter_by", "where", "order_by", "limit", "offset", "join", "outerjoin", "options",
                   "distinct", "group_by", "having", "with_for_update", "execution_options"})  # fmt: skip
_BUILDS = frozenset({"subquery", "scalar_subquery", "cte"})  # run nothing: a select has them too
_LOADS_MANY = frozenset({"joinedload", "contains_eager"})
_EAGER = frozenset({"joined", "False"})


@dataclass(frozen=True)
class _Chain:
    """`session.query(what).filter(..)...all()`, taken apart."""

    whole: ast.expr  # with the await around it, if there is one
    what: ast.Call  # the call of query()
    kept: tuple[ast.Call, ...]  # the calls that a select has as well
    end: ast.Call | None  # the call that runs it
    odd: str = ""  # a call that a select has not

    @property
    def builds(self) -> bool:
        """Whether it is made a part of another statement, and not run."""
        func = self.end.func if self.end is not None else None
        return isinstance(func, ast.Attribute) and func.attr in _BUILDS and not isinstance(self.whole, ast.Await)


@dataclass(frozen=True)
class Queries:
    """Finds and rewrites them in one file."""

    module: Module
    index: ProjectIndex
    held: Held

    def sites(self) -> Iterator[Site]:
        """All of them."""
        for call in self.module.calls:
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr == "query"
                and self.held.is_async(call.func.value)
            ):
                yield self._site(call, call.func)

    def _site(self, call: ast.Call, func: ast.Attribute) -> Site:
        text = f"{dotted(func)}() is called on an AsyncSession: AttributeError, it has no attribute 'query'"
        fault = Fault("query-on-async", Severity.CRITICAL, text)
        chain = self._chain(call)
        inner = self._inside(chain)
        line, end = chain.whole.lineno, chain.whole.end_lineno or chain.whole.lineno
        why = coroutine_around(self.module, call)
        if why and not chain.builds:
            reason = Reason("not-in-coroutine", f"{why}; make it async, or use a Session that is not")
            return refused(line, end, reason, fault)
        if chain.end is None:
            where = chain.odd or "what runs the query"
            reason = Reason("unusual-query", f"{where} can't be followed; write it as a select by hand")
            return refused(line, end, reason, fault)
        if inner is not None:
            reason = Reason(
                "unusual-query", f"line {inner.lineno} has a query inside it; write both as selects by hand"
            )
            return refused(line, end, reason, fault)
        new = self._written(ast.unparse(func.value), chain)
        if new is None or "#" in self.module.text(chain.whole):
            reason = Reason("unusual-query", "the query has no plain counterpart; write it as a select by hand")
            return refused(line, end, reason, fault)
        text, needs = new
        op = ReplaceExpr(self.module.span(chain.whole), text)
        return repaired(line, end, (op,), fault, "raised AttributeError", imports=needs)

    def _inside(self, chain: _Chain) -> ast.expr | None:
        """Another query of such a session in the arguments of this one."""
        for node in ast.walk(chain.whole):
            func = node.func if isinstance(node, ast.Call) and node is not chain.what else None
            if isinstance(func, ast.Attribute) and func.attr == "query" and self.held.is_async(func.value):
                return func
        return None

    def _chain(self, query: ast.Call) -> _Chain:
        kept: list[ast.Call] = []
        node: ast.Call = query
        while True:
            attribute = self.module.parents[node]
            outer = self.module.parents.get(attribute)
            if not (isinstance(attribute, ast.Attribute) and isinstance(outer, ast.Call) and outer.func is attribute):
                return _Chain(node, query, tuple(kept), None)
            if attribute.attr not in _KEPT:
                break
            kept.append(outer)
            node = outer
        around = self.module.parents[outer]
        whole = around if isinstance(around, ast.Await) else outer
        ends = ("all", "first", "one", "one_or_none", "scalar", "count", "get", "exists", *_BUILDS)
        odd = "" if attribute.attr in ends else f"{attribute.attr}()"
        after = self.module.parents[whole]
        if isinstance(after, ast.Attribute) and attribute.attr in ("exists",):
            odd = "exists()"
        return _Chain(whole, query, tuple(kept), None if odd else outer, odd)

    def _written(self, session: str, chain: _Chain) -> tuple[str, tuple[ImportNeed, ...]] | None:
        """The new text and the imports that it needs, or None."""
        assert chain.end is not None
        assert isinstance(chain.end.func, ast.Attribute)
        names = [self.module.written(a) for a in chain.what.args]
        if not names or chain.what.keywords:
            return None
        entity = len(names) == 1 and self._is_model(chain.what.args[0])
        head = f"select({', '.join(names)})"
        statement = head + self._as_written(chain, chain.kept[-1] if chain.kept else chain.what)
        needs = (ImportNeed("sqlalchemy", "select"),)
        rows = f"(await {session}.execute({{}}))"
        if entity:
            rows += ".scalars()" + (".unique()" if self._joins(chain) else "")
        match chain.end.func.attr:
            case "subquery" | "scalar_subquery" | "cte" if chain.builds and _is_plain(chain.end):
                return head + self._as_written(chain, chain.end), needs
            case "all" if not chain.end.args:
                return f"{rows.format(statement)}.all()", needs
            case "first":
                return f"{rows.format(statement + '.limit(1)')}.first()", needs
            case "one" | "one_or_none" as end:
                return f"{rows.format(statement)}.{end}()", needs
            case "scalar" if not entity:
                return f"{rows.format(statement)}.scalar_one_or_none()", needs
            case "count":
                inner = f"select(func.count()).select_from({statement}.subquery())"
                return f"(await {session}.execute({inner})).scalar()", (*needs, ImportNeed("sqlalchemy", "func"))
            case "get" if entity and not chain.kept and len(chain.end.args) == 1:
                return f"await {session}.get({names[0]}, {self.module.written(chain.end.args[0])})", ()
            case _:
                return None

    def _as_written(self, chain: _Chain, last: ast.Call) -> str:
        """What stands behind the call of query(), to the end of another call of the chain."""
        return self.module.written(last)[len(self.module.written(chain.what)) :]

    def _is_model(self, node: ast.expr) -> bool:
        last = dotted(node).rpartition(".")[2]
        return any(m.name == last and not m.is_table for m in self.index.models)

    def _joins(self, chain: _Chain) -> bool:
        """Whether rows may repeat an entity, which a query leaves out by itself."""
        if any(r.lazy in _EAGER for m in self.index.models for r in m.relationships):
            return True  # also of a model that one leads to from here
        nodes = (n for c in chain.kept for n in ast.walk(c) if isinstance(n, ast.Call))
        return any(dotted(n.func).rpartition(".")[2] in _LOADS_MANY or _is_join(n) for n in nodes)


def _is_plain(call: ast.Call) -> bool:
    """Whether a subquery is given a name at the most."""
    return (
        not call.keywords
        and all(isinstance(a, ast.Constant) and isinstance(a.value, str) for a in call.args)
        and len(call.args) < 2
    )


def _is_join(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("join", "outerjoin")

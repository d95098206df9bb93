"""Finds attributes that are read of an instance whose session is closed: DetachedInstanceError.

    with SessionLocal() as s:                  with SessionLocal() as s:
        job = s.query(Job).first()     ->          job = s.query(Job).options(selectinload(Job.tasks)).first()
    return len(job.tasks)                      return len(job.tasks)

The failure it prevents: the session is closed, and a relationship that was not loaded until then cannot be loaded any
more ("lazy load operation of attribute 'tasks' cannot proceed"); or the session was committed before, which expires all
attributes where `expire_on_commit` is not False ("attribute refresh operation cannot proceed").

An instance is followed from the query that loads it, or from where it is made and stored: in its own function, to
callers of a function that returns it (also in other files), into routes that FastAPI hands it to (`user: User =
Depends(get_current_user)`), to Flask-Login's `current_user`, and to templates, where its commit has expired it (what a
template reads is not looked at). A relationship, also one of a backref, or a deferred column counts as loaded where
the query's options name it, the mapping loads it eagerly, the block reads it before its end, or another query of the
block loads it. Where the block hands the instance to other code, which may load it, nothing is told; nor where the
session is another's, or what its end does could not be read. A query for the class behind the commit loads it anew.

A relationship is put into the options of the query that loaded the instance: `joinedload` where the model holds the
foreign key, `selectinload` for lists and where a join would change the query (`with_for_update`, `group_by`, ..). One
that is read behind another (`task.job.user`) is chained to it; deferred columns get `undefer`. Expired attributes are
taken out inside the block by hand, or the factory is made with `expire_on_commit=False`; that is told, and not written.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ormlift.model import Effect, Fault, ImportNeed, Reason, Refusal, ReplaceExpr, Rewrite, Severity, Site
from ormlift.project.endings import Ending, Giver
from ormlift.project.gives import Gives, given_by
from ormlift.project.index import ProjectIndex
from ormlift.project.injected import injected
from ormlift.project.loaded import (
    Loaded,
    SessionBlock,
    attributes_read,
    commits_behind,
    expunges,
    handles_by_itself,
    loads,
    read_loaded,
    session_blocks,
    touched,
)
from ormlift.project.names import is_test_path
from ormlift.project.paths import LAZY, Path, longest, names, paths_from
from ormlift.rules._detached_access.reads import binds, bound_once, is_attached, looks_first, reads_of, set_once, shown
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.detached_access import EXAMPLES
from ormlift.schema import MappedClass, Relationship
from ormlift.syntax import FunctionNode, Module, dotted, every_node, walk_scope

ID = "detached-access"
# In these queries a join would take part in what they do: lock rows that it adds, group or leave out by its columns.
_NO_JOIN = frozenset({"with_for_update", "from_statement", "group_by", "having", "distinct", "union", "union_all"})


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every read of what is detached."""
    if not is_test_path(module.source.path):
        yield from _Finder(module, context.index).sites()


@dataclass(frozen=True)
class _Read:
    """One attribute that is read of a detached instance."""

    node: ast.Attribute
    model: MappedClass
    words: str  # of what opened the session


@dataclass
class _Finder:
    module: Module
    index: ProjectIndex
    lazy: dict[ast.Call, tuple[Loaded, list[_Read]]] = field(default_factory=dict)  # by the query to add options to

    def sites(self) -> Iterator[Site]:
        """Those of blocks and their callers; lazy reads are gathered at the query that they share."""
        functions = [n for n in self.module.parents if isinstance(n, FunctionNode)]
        for function in functions:
            for block in session_blocks(self.module, function):
                ending = self.index.ending(block.call, self.module)
                if ending is not None and not handles_by_itself(block):
                    yield from self._behind(block, ending)
                    yield from self._kept(function, block, ending)
        for function in functions:
            for name, giver, statements in self._given(function):
                yield from self._of_giver(name, giver, statements)
        for loaded, reads in self.lazy.values():
            yield self._with_options(loaded, reads)

    # In the function that loads

    def _behind(self, block: SessionBlock, ending: Ending) -> Iterator[Site]:
        known = loads(block)
        for name, made in known.items():
            seen, first = touched(block, name), made[0]
            model = self._model(first.model)
            if seen is None or model is None or binds(block.after, name) or len({m.model for m in made}) > 1:
                continue
            if is_attached(list(block.after), name) or looks_first(block.after, name):
                continue
            committed = ending.commits or commits_behind(block, name, first.model)
            expired = ending.expires and committed and not expunges(block)
            if not expired and (len(made) > 1 or first.new):
                continue  # what of it is loaded hangs on the way that was taken
            reads = list(reads_of(block.after, name, many=first.many))
            loaded = seen | {attr for ms in known.values() for m in ms if m.model == first.model for attr in m.eager}
            yield from self._judge(reads, model, ending.words, first, loaded, expired=expired)
            if expired and not reads:
                yield from self._shown(list(block.after), name, model, ending.words)

    def _shown(
        self, statements: list[ast.stmt], name: str, model: MappedClass, words: str, where: str = ""
    ) -> Iterator[Site]:
        """An instance that nothing can be read of, handed to a template."""
        call = shown(statements, name)
        if call is not None:
            yield self._expired(call, f"{name} is handed to a template", model, words, where)

    def _kept(self, function: FunctionNode, block: SessionBlock, ending: Ending) -> Iterator[Site]:
        """Instances that the block stores on self, and that other methods of the class read."""
        around, known = self.module.enclosing_class(function), loads(block)
        for node in every_node(*block.body) if around is not None else ():
            match node:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value):
                    name = value.id if isinstance(value, ast.Name) else ""
                    made = known[name][0] if name in known else read_loaded(value, block.name, {})
                case _:
                    continue
            model = self._model(made.model) if made is not None else None
            seen = touched(block, name) if name else frozenset()
            if made is None or model is None or made.many or made.new or seen is None or around is None:
                continue
            if not set_once(around, attr):
                continue
            methods = [m for m in around.body if isinstance(m, FunctionNode) and m is not function]
            nodes = every_node(*methods)
            reads = [n for n in nodes if isinstance(n, ast.Attribute) and dotted(n.value) == f"self.{attr}"]
            reads = sorted((n for n in reads if isinstance(n.ctx, ast.Load)), key=lambda n: n.lineno)
            read_here = attributes_read(block.body, f"self.{attr}", block.name) or frozenset()
            committed = (
                ending.expires and (ending.commits or commits_behind(block, name, made.model)) and not expunges(block)
            )
            loaded = seen | made.eager | read_here
            yield from self._judge(reads, model, ending.words, made, loaded, expired=committed)

    def _judge(
        self,
        reads: list[ast.Attribute],
        model: MappedClass,
        words: str,
        made: Loaded | None,
        loaded: frozenset[str],
        *,
        expired: bool,
        where: str = "",
    ) -> Iterator[Site]:
        """The sites of reads; of those of relationships the ones whose query stands in another file."""
        columns = {c.attr for c in model.columns}
        lazy = {r.attr for r in model.relationships if r.lazy in LAZY} - loaded
        lazy |= {c.attr for c in model.columns if c.deferred} - loaded
        stale = [r for r in reads if expired and r.attr in columns | lazy]
        if stale:
            yield self._expired(stale[0], f"{ast.unparse(stale[0])} is read", model, words, where)
            return
        for node in (r for r in reads if r.attr in lazy):
            if made is not None:
                self.lazy.setdefault(made.anchor, (made, []))[1].append(_Read(node, model, words))
            else:
                yield self._elsewhere(node, model, words, where)

    def _expired(self, node: ast.expr, what: str, model: MappedClass, words: str, where: str) -> Site:
        text = (
            f"{what} after the commit and close of {words}(){where}: DetachedInstanceError, "
            f"the commit expired all attributes of the {model.name}"
        )
        fault = Fault("expired-after-close", Severity.CRITICAL, text)
        text = "take the value into a variable before the commit, or make the factory with expire_on_commit=False"
        return Refusal(ID, node.lineno, node.end_lineno or node.lineno, Reason("take-values-out", text), fault)

    def _elsewhere(self, node: ast.Attribute, model: MappedClass, words: str, where: str) -> Site:
        fault = self._lazy_fault(node, model, words, where)
        chains = [self._chain(p, model.name) for p in longest(paths_from(self.module, node, model, self._model))]
        call = f".options({', '.join(chains)})"
        reason = Reason("query-elsewhere", f"put {call} into the query{where}")
        return Refusal(ID, node.lineno, node.end_lineno or node.lineno, reason, fault)

    @staticmethod
    def _lazy_fault(node: ast.Attribute, model: MappedClass, words: str, where: str) -> Fault:
        how = "deferred" if any(c.attr == node.attr for c in model.columns) else "lazy"
        text = (
            f"line {node.lineno} reads {ast.unparse(node)} when the session of {words}(){where} is closed: "
            f"DetachedInstanceError, {how} load operation of attribute '{node.attr}' cannot proceed"
        )
        return Fault("lazy-after-close", Severity.CRITICAL, text)

    # Who is given one

    def _given(self, function: FunctionNode) -> Iterator[tuple[str, Giver, list[ast.stmt]]]:
        """The names of a function that hold what another gave, and the statements that may read them."""
        for name, dependency in injected(function):
            giver = self.index.giver(dependency, self.module)
            if giver is not None:
                yield name, giver, function.body
        for node in walk_scope(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = node.value.value if isinstance(node.value, ast.Await) else node.value
                name = node.targets[0].id
                giver = self.index.giver(value.func, self.module) if isinstance(value, ast.Call) else None
                if giver is not None and bound_once(function, name):
                    yield name, giver, function.body
        loader = self.index.user_loader
        if loader is not None and self.module.imports.get("current_user") == "flask_login.current_user":
            yield "current_user", loader, function.body

    def _of_giver(self, name: str, giver: Giver, statements: list[ast.stmt]) -> Iterator[Site]:
        gives, ending = giver.gives, giver.ending
        model = self._model(gives.model)
        if model is None or is_attached(statements, name):
            return
        loaded, committed, made = frozenset(gives.loaded), gives.committed, None
        ending = giver.ending
        where = f" in {gives.name}() ({giver.path}:{gives.line})"
        if giver.path == self.module.source.path:  # it may have been mended since the project was read
            found = self._given_here(gives)
            if found is None:
                return
            block, made, given = found
            loaded = made.eager | (touched(block, given) or frozenset())
            committed, where = commits_behind(block, given, made.model), f" in {gives.name}()"
        expired = ending.expires and not gives.expunged and (ending.commits or committed)
        if gives.new and not expired:
            return
        reads = list(reads_of(statements, name, many=gives.many))
        yield from self._judge(reads, model, ending.words, made, loaded, expired=expired, where=where)
        if expired and not reads:
            yield from self._shown(statements, name, model, ending.words, where)

    def _given_here(self, gives: Gives) -> tuple[SessionBlock, Loaded, str] | None:
        """The same of a function of this file, as it stands now."""
        for node in self.module.parents:
            if isinstance(node, FunctionNode) and node.name == gives.name:
                around = self.module.enclosing_class(node)
                if (around.name if around is not None and node in around.body else "") == gives.owner:
                    ways = given_by(self.module, node)
                    like = [w for w in ways if dotted(w[0].call.func) == gives.called]
                    return next(iter(like or ways), None)
        return None

    # The query

    def _with_options(self, made: Loaded, reads: list[_Read]) -> Site:
        first = reads[0]
        fault = self._lazy_fault(first.node, first.model, first.words, "")
        span = self.module.span(made.anchor)
        text, end = self.module.text(made.anchor), made.anchor.end_lineno or made.anchor.lineno
        paths = longest([p for r in reads for p in paths_from(self.module, r.node, r.model, self._model)])
        unknown = sorted({m.name for p in paths for m, _ in p[1:] if m.name not in self._bound})
        chains = [self._chain(p, made.model, made.calls) for p in paths]
        listed = ", ".join(chains)
        if unknown:
            words = f"{unknown[0]} is not imported here; import it, and put .options({listed}) into the query"
            return Refusal(ID, made.anchor.lineno, end, Reason("deeper-class", words), fault)
        called = made.anchor.func
        if isinstance(called, ast.Attribute) and called.attr == "get":
            new = f"{text[:-1].rstrip().rstrip(',')}, options=[{listed}])"
        else:
            new = f"{text}.options({listed})"
        used = [name for name in ("joinedload", "selectinload", "undefer") if any(f"{name}(" in c for c in chains)]
        needs = tuple(ImportNeed("sqlalchemy.orm", loader) for loader in used)
        told = ", ".join(".".join(names(p)) for p in paths)
        effects = (
            Effect("loads-more", made.anchor.lineno, f"the query loads {told} too, whoever reads it or not"),
            Effect(
                "now-runs", first.node.lineno, f"line {first.node.lineno} raised DetachedInstanceError, and now runs"
            ),
        )
        return Rewrite(ID, made.anchor.lineno, end, (ReplaceExpr(span, new),), needs, effects=effects, fault=fault)

    @cached_property
    def _bound(self) -> frozenset[str]:
        """The names that the module binds by imports and definitions."""
        return frozenset(self.module.imports) | {d.name for d in self.module.definitions}

    def _chain(self, path: Path, first: str, calls: frozenset[str] = frozenset()) -> str:
        """`joinedload(Task.job).joinedload(Job.user)`; `first` is what the query calls its model."""
        steps = []
        for position, (model, attr) in enumerate(path):
            loader = self._loader(model, attr, joins=not calls & _NO_JOIN)
            steps.append(f"{loader}({model.name if position else first}.{attr})")
        return ".".join(steps)

    def _loader(self, model: MappedClass, attr: str, *, joins: bool) -> str:
        """`joinedload` for one row that the model's own foreign key names, `selectinload` for all else."""
        if any(c.attr == attr for c in model.columns):
            return "undefer"
        target = next((r.target for r in model.relationships if r.attr == attr), "")
        other = self._model(target)
        keys = {c.foreign_key.partition(".")[0] for c in model.columns if c.foreign_key}
        near = other is not None and other.table in keys and other is not model
        return "joinedload" if joins and near else "selectinload"

    def _model(self, name: str) -> MappedClass | None:
        return self._models.get(name.rpartition(".")[2])

    @cached_property
    def _models(self) -> dict[str, MappedClass]:
        """The classes of one name alone, with the relationships that backrefs of others give them."""
        mapped = [m for m in self.index.models if not m.is_table and not is_test_path(m.path)]
        count = Counter(m.name for m in mapped)
        given: dict[str, list[Relationship]] = {}
        for model in mapped:
            for r in model.relationships:
                if r.backref:
                    back = Relationship(r.backref, model.name, r.line, lazy=r.backref_lazy)
                    given.setdefault(r.target.rpartition(".")[2], []).append(back)
        return {
            m.name: replace(m, relationships=(*m.relationships, *given.get(m.name, ()))) if m.name in given else m
            for m in mapped
            if count[m.name] == 1
        }


def relevant(text: str, index: ProjectIndex) -> bool:
    """Whether a text may read what is detached."""
    if not index.models:
        return False
    return "ession" in text or "Depends(" in text or "current_user" in text or index.names_giver(text)


FAULTS = {
    "lazy-after-close": (
        "A relationship or deferred column is read that was not loaded before the session was closed: "
        "DetachedInstanceError, lazy load operation of the attribute cannot proceed."
    ),
    "expired-after-close": (
        "The session was committed, which expires all attributes, and closed: reading any of them raises "
        "DetachedInstanceError, attribute refresh operation cannot proceed."
    ),
}

REASONS = {
    "take-values-out": (
        "Loading more does not help, since the commit expires all. Take the values out before the commit, or make the "
        "factory with `expire_on_commit=False`."
    ),
    "deeper-class": (
        "A relationship is read behind another one, and its class has no name in this file to write the options with. "
        "Import it."
    ),
    "query-elsewhere": "The query that loads the instance stands in another file, which is named. Add options there.",
}

EFFECTS = {
    "loads-more": "Every run of the query loads the relationship too, by a join or a second SELECT.",
    "now-runs": "The line raised DetachedInstanceError, and now works: what stands behind it runs for the first time.",
}

CODEMOD = Codemod(
    id=ID,
    title="attributes read after their session is closed -> loaded by the query's options",
    explanation=(__doc__ or "").strip(),
    needles=((b"ession",), (b"Depends",), (b"current_user",), (b"import",)),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    faults=FAULTS,
    examples=EXAMPLES,
    relevant=relevant,
)

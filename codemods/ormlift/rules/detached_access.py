"""Finds attributes that are read of an instance whose session is closed: DetachedInstanceError.

    with SessionLocal() as s:                  with SessionLocal() as s:
        job = s.query(Job).first()     ->          job = s.query(Job).options(selectinload(Job.tasks)).first()
    return len(job.tasks)                      return len(job.tasks)

The failure it prevents: the session is closed, and a relationship that was not loaded until then cannot be loaded any
more ("lazy load operation of attribute 'tasks' cannot proceed"); or the session was committed before, which expires all
attributes where `expire_on_commit` is not False ("attribute refresh operation cannot proceed").

An instance is followed from the query that loads it: in its own function, to callers of a function that returns it
(also in other files), into routes that FastAPI hands it to (`user: User = Depends(get_current_user)`), and to
Flask-Login's `current_user`. A relationship counts as loaded where the query's options name it, the mapping loads it
eagerly, or the block reads it before its end. Where the block hands the instance to other code, which may load it,
nothing is told; nor where the session is another's, or what its end does could not be read.

A relationship is put into the options of the query that loaded the instance: `joinedload` where the model holds the
foreign key, `selectinload` for lists and where a join would change the query (`with_for_update`, `group_by`, ..). One
that is read behind another (`task.job.user`) is chained to it. Expired attributes are taken out inside the block by
hand, or the factory is made with `expire_on_commit=False`; that is told, and not written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.detached_access import EXAMPLES
from ormlift.schema import MappedClass
from ormlift.syntax import FunctionNode, Module, dotted, every_node, walk_scope

ID = "detached-access"
# In these queries a join would take part in what they do: lock rows that it adds, group or leave out by its columns.
_NO_JOIN = frozenset({"with_for_update", "from_statement", "group_by", "having", "distinct", "union", "union_all"})
_LOOKS = frozenset({"inspect", "object_session", "instance_state", "make_transient_to_detached"})


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
        for name, made in loads(block).items():
            seen = touched(block, name)
            model = self._model(made[0].model)
            if len(made) != 1 or seen is None or model is None or _binds(block.after, name):
                continue
            if _is_attached(list(block.after), name) or _looks_first(block.after, name):
                continue
            reads = list(_reads(block.after, name, many=made[0].many))
            committed = ending.expires and (ending.commits or commits_behind(block, name)) and not expunges(block)
            yield from self._judge(reads, model, ending.words, made[0], seen | made[0].eager, expired=committed)

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
            if made is None or model is None or made.many or seen is None or around is None:
                continue
            if not _set_once(around, attr):
                continue
            methods = [m for m in around.body if isinstance(m, FunctionNode) and m is not function]
            nodes = every_node(*methods)
            reads = [n for n in nodes if isinstance(n, ast.Attribute) and dotted(n.value) == f"self.{attr}"]
            reads = sorted((n for n in reads if isinstance(n.ctx, ast.Load)), key=lambda n: n.lineno)
            read_here = attributes_read(block.body, f"self.{attr}", block.name) or frozenset()
            committed = ending.expires and (ending.commits or commits_behind(block, name)) and not expunges(block)
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
        stale = [r for r in reads if expired and r.attr in columns | lazy]
        if stale:
            yield self._expired(stale[0], model, words, where)
            return
        for node in (r for r in reads if r.attr in lazy):
            if made is not None:
                self.lazy.setdefault(made.anchor, (made, []))[1].append(_Read(node, model, words))
            else:
                yield self._elsewhere(node, model, words, where)

    def _expired(self, node: ast.Attribute, model: MappedClass, words: str, where: str) -> Site:
        text = (
            f"{ast.unparse(node)} is read after the commit and close of {words}(){where}: DetachedInstanceError, "
            f"the commit expired all attributes of the {model.name}"
        )
        fault = Fault("expired-after-close", Severity.CRITICAL, text)
        text = "take the value into a variable before the commit, or make the factory with expire_on_commit=False"
        return Refusal(ID, node.lineno, node.end_lineno or node.lineno, Reason("take-values-out", text), fault)

    def _elsewhere(self, node: ast.Attribute, model: MappedClass, words: str, where: str) -> Site:
        fault = self._lazy_fault(node, words, where)
        chains = [self._chain(p, model.name) for p in longest(paths_from(self.module, node, model, self._model))]
        call = f".options({', '.join(chains)})"
        reason = Reason("query-elsewhere", f"put {call} into the query{where}")
        return Refusal(ID, node.lineno, node.end_lineno or node.lineno, reason, fault)

    @staticmethod
    def _lazy_fault(node: ast.Attribute, words: str, where: str) -> Fault:
        text = (
            f"line {node.lineno} reads {ast.unparse(node)} when the session of {words}(){where} is closed: "
            f"DetachedInstanceError, lazy load operation of attribute '{node.attr}' cannot proceed"
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
                if giver is not None and _bound_once(function, name):
                    yield name, giver, function.body
        loader = self.index.user_loader
        if loader is not None and self.module.imports.get("current_user") == "flask_login.current_user":
            yield "current_user", loader, function.body

    def _of_giver(self, name: str, giver: Giver, statements: list[ast.stmt]) -> Iterator[Site]:
        gives, ending = giver.gives, giver.ending
        model = self._model(gives.model)
        if model is None or _is_attached(statements, name):
            return
        loaded, committed, made = frozenset(gives.loaded), gives.committed, None
        where = f" in {gives.name}() ({giver.path}:{gives.line})"
        if giver.path == self.module.source.path:  # it may have been mended since the project was read
            found = self._given_here(gives)
            if found is None:
                return
            block, made, given = found
            loaded = made.eager | (touched(block, given) or frozenset())
            committed, where = commits_behind(block, given), f" in {gives.name}()"
        expired = ending.expires and not gives.expunged and (ending.commits or committed)
        reads = list(_reads(statements, name, many=gives.many))
        yield from self._judge(reads, model, ending.words, made, loaded, expired=expired, where=where)

    def _given_here(self, gives: Gives) -> tuple[SessionBlock, Loaded, str] | None:
        """The same of a function of this file, as it stands now."""
        for node in self.module.parents:
            if isinstance(node, FunctionNode) and node.name == gives.name:
                around = self.module.enclosing_class(node)
                if (around.name if around is not None and node in around.body else "") == gives.owner:
                    return given_by(self.module, node)
        return None

    # The query

    def _with_options(self, made: Loaded, reads: list[_Read]) -> Site:
        first = reads[0]
        fault = self._lazy_fault(first.node, first.words, "")
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
        used = [loader for loader in ("joinedload", "selectinload") if any(c.startswith(f"{loader}(") for c in chains)]
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
            loader = "selectinload" if calls & _NO_JOIN else self._loader(model, attr)
            steps.append(f"{loader}({model.name if position else first}.{attr})")
        return ".".join(steps)

    def _loader(self, model: MappedClass, attr: str) -> str:
        """`joinedload` for one row that the model's own foreign key names, `selectinload` for all else."""
        target = next((r.target for r in model.relationships if r.attr == attr), "")
        other = self._model(target)
        keys = {c.foreign_key.partition(".")[0] for c in model.columns if c.foreign_key}
        return "joinedload" if other is not None and other.table in keys and other is not model else "selectinload"

    def _model(self, name: str) -> MappedClass | None:
        bare = name.rpartition(".")[2]
        found = [m for m in self.index.models if m.name == bare and not m.is_table and not is_test_path(m.path)]
        return found[0] if len(found) == 1 else None


def _reads(statements: list[ast.stmt] | tuple[ast.stmt, ...], name: str, *, many: bool) -> Iterator[ast.Attribute]:
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


def _looks_first(statements: tuple[ast.stmt, ...], name: str) -> bool:
    """Whether the code asks for the state of the instance, and so may know what is loaded."""
    calls = [n for n in every_node(*statements) if isinstance(n, ast.Call)]
    asking = [c for c in calls if dotted(c.func).rpartition(".")[2] in _LOOKS]
    return any(isinstance(a, ast.Name) and a.id == name for c in asking for a in c.args)


def _binds(statements: tuple[ast.stmt, ...], name: str) -> bool:
    nodes = every_node(*statements)
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in nodes)


def _bound_once(function: FunctionNode, name: str) -> bool:
    nodes = [n for n in walk_scope(function) if isinstance(n, ast.Name) and n.id == name]
    return sum(1 for n in nodes if isinstance(n.ctx, ast.Store)) == 1


def _set_once(around: ast.ClassDef, attr: str) -> bool:
    """Whether one assignment alone sets an attribute of self, beside those of None."""
    sets = [
        n
        for n in every_node(around)
        if isinstance(n, ast.Assign | ast.AnnAssign)
        and any(dotted(t) == f"self.{attr}" for t in (n.targets if isinstance(n, ast.Assign) else [n.target]))
        and not (isinstance(n.value, ast.Constant) and n.value.value is None)
    ]
    return len(sets) == 1


def _is_attached(statements: list[ast.stmt], name: str) -> bool:
    """Whether the instance is put into another session: `db.add(job)`, `db.merge(job)`, `db.refresh(job)`."""
    for node in every_node(*statements):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            taken = node.func.attr in ("add", "merge", "refresh", "add_all", "delete")
            if taken and any(isinstance(a, ast.Name) and a.id == name for a in node.args):
                return True
    return False


def relevant(text: str, index: ProjectIndex) -> bool:
    """Whether a text may read what is detached."""
    if not index.models:
        return False
    return "ession" in text or "Depends(" in text or "current_user" in text or index.names_giver(text)


FAULTS = {
    "lazy-after-close": (
        "A relationship is read that was not loaded before the session was closed: DetachedInstanceError, lazy load "
        "operation of the attribute cannot proceed."
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

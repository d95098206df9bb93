"""Mappers that cannot be configured: one broken relationship, and no query of the whole program works.

    class Organization(Base):
        __tablename__ = "organizations"
        id = Column(Integer, primary_key=True)
        schools = relationship("School", back_populates="organization")     # there is no class School

SQLAlchemy configures all mappers at the first query, and if one of them fails, all do: `One or more mappers failed to
initialize`. Tests that put a stub in place of the session never get there, so that the fault shows in production.

Read statically, over all models of the project: classes that relationships name and that do not exist, `back_populates`
without its other side, foreign keys to tables or columns that are missing, relationships with no foreign key or with
several, two classes of one name, modules with models that nothing imports. What is probably meant is named. Whatever
could not be read (a base from a library, a reflected table, a class made at run time) is taken to be as it should be.

A name that is nearly right is put right. A relationship to a class that does not exist is commented out, with a TODO
that says why, and with all places that use it as effects. Both need --unsafe. `ormlift verify --mappers` tells whether
the mappers can be configured, by importing the models of the project.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import CommentOut, Effect, Fault, Op, Reason, Refusal, ReplaceExpr, Rewrite, Site
from ormlift.project.bodies import flat
from ormlift.project.health import Finding, Health
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.mapper_health import EXAMPLES
from ormlift.syntax import FunctionNode, Module

ID = "mapper-health"
GONE = frozenset({"unknown-class", "no-foreign-key"})  # a relationship that leads nowhere is commented out
_SHOWN = 6  # places that an effect names


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every fault of the file's own models."""
    path = module.source.path
    if not any(f.path == path for f in context.index.health.findings):
        return
    health = context.index.health_with(module)
    extends = "extend_existing" in module.source.text  # then one table of two classes is meant
    for finding in health.findings:
        if finding.path == path and not (extends and finding.code == "two-classes"):
            yield _site(finding, module, health)


def _site(finding: Finding, module: Module, health: Health) -> Site:
    fault = Fault(finding.code, finding.severity, finding.message)
    statement = _statement(finding, module)
    if statement is None or not finding.attr:
        return Refusal(ID, finding.line, finding.line, _decide(finding), fault)
    line, last = statement.lineno, statement.end_lineno or statement.lineno
    if finding.near:
        node = _literal(finding, statement)
        if node is not None:
            span = module.span(node)
            op: Op = ReplaceExpr(span, _quoted(module.text(node), finding.near))
            first = line if finding.code in ("unknown-class", "back-populates-missing") else span.line
            return Rewrite(ID, first, max(first, span.end_line), (op,), effects=_renamed(finding), fault=fault)
    if finding.code in GONE and not isinstance(statement, FunctionNode):
        return _gone(finding, statement, module, health, fault)
    return Refusal(ID, line, last, _decide(finding), fault)


def _gone(finding: Finding, statement: ast.stmt, module: Module, health: Health, fault: Fault) -> Site:
    line, last = statement.lineno, statement.end_lineno or statement.lineno
    leaning = next(
        (
            f"{m.name}.{r.attr} ({m.path}:{r.line})"
            for m in health.models
            for r in m.relationships
            if r.back_populates == finding.attr and r.target.rpartition(".")[2] == finding.owner
        ),
        "",
    )
    if leaning:
        message = f"{leaning} names {finding.attr} in its back_populates, and would fail without it"
        return Refusal(ID, line, last, Reason("depended-on", f"{message}; name the right class by hand"), fault)
    op = CommentOut(module.span(statement), _todo(finding))
    return Rewrite(ID, line, last, (op,), effects=_gone_effects(finding, line, health), fault=fault)


def _todo(finding: Finding) -> str:
    if finding.code == "unknown-class":
        why = f"no mapped class is named '{finding.class_missing}'"
        return (
            f"TODO: {why}, which kept all mappers from being configured.\nMap it or name the right one, then restore:"
        )
    why = "no foreign key leads to the other table"
    return f"TODO: {why}, which kept all mappers from being configured.\nAdd one, then restore:"


def _gone_effects(finding: Finding, line: int, health: Health) -> tuple[Effect, ...]:
    own = f"{finding.path}:"
    uses = health.mentions.uses_of(finding.attr) if health.mentions is not None else ()
    uses = tuple(u for u in uses if not (u.startswith(own) and int(u.rpartition(":")[2]) == line))
    if not uses:
        message = f"{finding.owner}.{finding.attr} is gone until it is restored; nothing in the project's code names it"
    else:
        more = f" and {len(uses) - _SHOWN} more" if len(uses) > _SHOWN else ""
        message = f"{finding.owner}.{finding.attr} is gone until it is restored; that name is used at "
        message += ", ".join(uses[:_SHOWN]) + more
    return (Effect("relationship-gone", line, message),)


def _renamed(finding: Finding) -> tuple[Effect, ...]:
    message = f"'{finding.subject}' is taken to mean '{finding.near}': see that it does"
    return (Effect("name-changed", finding.line, message),)


def _statement(finding: Finding, module: Module) -> ast.stmt | None:
    """The statement that writes the attribute, or the table of a column."""
    for node in flat(module.tree.body):
        inside = flat(node.body) if isinstance(node, ast.ClassDef) and node.name == finding.owner else iter([node])
        for statement in inside:
            if isinstance(statement, ast.ClassDef) or not _holds(statement, finding.line):
                continue
            if isinstance(statement, ast.Assign | ast.AnnAssign | FunctionNode):
                return statement
    return None


def _holds(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or statement.lineno)


def _literal(finding: Finding, statement: ast.stmt) -> ast.Constant | None:
    """The text in quotes that is wrong, if it is one whole literal."""
    nodes = [n for n in ast.walk(statement) if isinstance(n, ast.Constant) and n.value == finding.subject]
    if finding.code == "back-populates-missing":
        calls = (n for n in ast.walk(statement) if isinstance(n, ast.keyword) and n.arg == "back_populates")
        nodes = [k.value for k in calls if isinstance(k.value, ast.Constant)]
    elif len(nodes) > 1:
        nodes = [n for n in nodes if n.lineno >= finding.line][:1]
    return nodes[0] if len(nodes) == 1 else None


def _quoted(written: str, text: str) -> str:
    quote = "'" if written.startswith("'") else '"'
    return f"{quote}{text}{quote}"


def _decide(finding: Finding) -> Reason:
    if finding.code == "back-populates-missing":
        message = "the other side must be written, or this name corrected"
        return Reason("needs-decision", f"{message}: add the relationship there, with back_populates='{finding.attr}'")
    return Reason("needs-decision", f"{WAYS[finding.code]}")


WAYS = {
    "unknown-class": "the relationship is made by a function; take it out, or map the class",
    "no-foreign-key": "the relationship is made by a function; add the foreign key, or take it out",
    "back-populates-mismatch": "name the relationship of the other class that leads back here",
    "backref-exists": "write back_populates on both sides in place of backref",
    "ambiguous-foreign-keys": "say which one: foreign_keys=[Class.column]",
    "same-direction": "add remote_side=[id] to the relationship that leads to the parent",
    "unknown-table": "map the table, or name the right one",
    "unknown-column": "name a column of that table",
    "two-classes": "give one of them another name, or take it out",
    "never-imported": "import the module where the other models are imported, as in the package's __init__",
}

CODEMOD = Codemod(
    id=ID,
    title="Finds what keeps SQLAlchemy's mappers from being configured",
    explanation=__doc__ or "",
    needles=((b"relationship(",), (b"Relationship(",), (b"ForeignKey(",), (b"foreign_key=",), (b"__tablename__",)),
    reasons={
        "needs-decision": (
            "Several ways out are open, and which one is meant cannot be read from the code. The message names them: "
            "change it by hand."
        ),
        "depended-on": (
            "Commenting the relationship out would break another one, which names it in its back_populates. Name the "
            "right class by hand, or take both out."
        ),
    },
    effects={
        "relationship-gone": (
            "The attribute is no longer there: code that reads it raises AttributeError. Until now that code failed as "
            "well, as every query did. The places that name it are listed."
        ),
        "name-changed": "A name that does not exist is taken to mean another that nearly reads the same.",
    },
    faults={
        "unknown-class": (
            "A relationship names a class that no mapped class is named like. At the first query all mappers fail: "
            "`expression 'X' failed to locate a name`."
        ),
        "back-populates-missing": (
            "back_populates names an attribute that the other class does not have, or that is no relationship. All "
            "mappers fail: `Mapper has no property`."
        ),
        "back-populates-mismatch": (
            "back_populates names a relationship that leads to another class: `reverse_property references "
            "relationship, which does not reference mapper`."
        ),
        "backref-exists": (
            "backref makes an attribute that the other class writes itself: `property of that name exists on mapper`."
        ),
        "no-foreign-key": (
            "No foreign key joins the two tables, so that the relationship's join is not known: NoForeignKeysError "
            "when the mappers are configured."
        ),
        "ambiguous-foreign-keys": (
            "Several foreign keys join the two tables, and the relationship does not say which one it follows: "
            "AmbiguousForeignKeysError when the mappers are configured."
        ),
        "same-direction": (
            "Two relationships of a class to itself name one another, and neither has remote_side: `both of the same "
            "direction`, so no mapper can be configured."
        ),
        "unknown-table": (
            "A foreign key names a table that no model has: NoReferencedTableError when the tables are created, joined "
            "or written to."
        ),
        "unknown-column": (
            "A foreign key names a column that the table's model does not have: NoReferencedColumnError when the "
            "tables are created, joined or written to."
        ),
        "two-classes": (
            "Two classes of one base share their name. A relationship that names it raises `Multiple classes found for "
            "path`, as soon as both modules are imported."
        ),
        "never-imported": (
            "A relationship names a class of a module that nothing imports: whether the mappers can be configured "
            "depends on what happened to be imported before."
        ),
    },
    find=find,
    examples=EXAMPLES,
)

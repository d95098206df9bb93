"""Columns that no field of a response model shows."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from ormlift.model import AddBehind, Effect, Fault, ImportNeed, Reason, Refusal, Rewrite, Severity, Site
from ormlift.project.dtos import Dto
from ormlift.project.mapping import snake
from ormlift.rules._dto_drift.words import ID, NEEDS, PYTHON, names, python_of
from ormlift.schema import MappedClass, MappedColumn
from ormlift.syntax import Module

PRIVATE = re.compile(
    r"passw|hash|secret|token|salt|_key$|^key$|otp|deleted|internal|private|encrypt|embedding|vector|^_", re.I
)
BOOKS = re.compile(
    r"^(?:created|updated|modified|archived|inserted|changed)(?:_at|_on|_by|_by_id|_date)?$|^(?:is_)?archived$|"
    r"^(?:date_|time_)?(?:created|updated|modified)$|^last_(?:modified|updated)|^version$|^row_version$",
    re.I,
)  # columns that keep books of the row
ACCESS = re.compile(
    r"^(?:workspace|tenant|realm)(?:_|$)|^access_level$|^acl$|(?:^|_)logins?(?:_|$)", re.I
)  # who may see the row, and when its user came
INPUTS = re.compile(
    r"^(?:Create|Update|New|Patch)?(.+?)(?:Create|Update|In|Input|Request|Patch|CreateRequest|UpdateRequest)?$"
)
# Fields by these names would hide a type of their own annotation, or a method of Pydantic's.
BYTES = frozenset(
    {"LargeBinary", "BINARY", "VARBINARY", "BLOB", "BYTEA", "LONGBLOB", "MEDIUMBLOB", "TINYBLOB"}
)  # no JSON
_RULE, _WORD = 3, 4  # responses that make leaving a column out a rule; letters of a word that says something
_COMMON = frozenset(
    {"name", "type", "date", "time", "text", "data", "user", "code", "count", "status", "number", "total"}
)
TAKEN = frozenset({*NEEDS, *PYTHON.values(), "json", "copy", "schema", "dict", "construct", "validate", "fields"})

MIRROR = 0.6  # of the columns: with more the model is meant to be whole


def missing(mirrors: list[tuple[Dto, MappedClass]], dtos: list[Dto], module: Module) -> Iterator[Site]:
    """One site for each model that lacks columns which clients should see."""
    gone = {d.node.name: _lost(d, m, [o for o, of in mirrors if of is m and o is not d], module) for d, m in mirrors}
    left_out = Counter(c.attr for lost in gone.values() for c in lost)
    for dto, model in mirrors:
        lost = [c for c in gone[dto.node.name] if left_out[c.attr] < _RULE]
        if lost and (site := _missing(dto, model, lost, _written(dto, model, dtos), module)) is not None:
            yield site


def _lost(dto: Dto, model: MappedClass, siblings: list[Dto], module: Module) -> list[MappedColumn]:
    """The columns that neither the model nor another one of the same class has a field for, under whatever name."""
    if "*" in dto.validated:
        return []
    held = names(dto) | _read_into(dto, module)
    for other in siblings:
        held |= names(other)
    known = {c.attr for c in model.columns} | {r.attr for r in model.relationships}
    others = {word for name in dto.fields.keys() - known for word in name.split("_") if len(word) >= _WORD} - _COMMON
    absent = [c for c in model.columns if not _is_held(c.attr, held, model.name) and not _is_left_out(c)]
    return [c for c in absent if not others & set(c.attr.split("_"))]


def _read_into(dto: Dto, module: Module) -> set[str]:
    """The attributes that the file reads where it builds the model by hand: `Out(phase=job.current_phase)`."""
    calls = [c for c in module.calls if isinstance(c.func, ast.Name) and c.func.id == dto.node.name]
    nodes = (n for c in calls for k in c.keywords for n in ast.walk(k.value))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def _written(dto: Dto, model: MappedClass, dtos: list[Dto]) -> dict[str, str]:
    """By column, the model for input of the file that takes it: what clients write."""
    found: dict[str, str] = {}
    for other in dtos:
        name = other.node.name
        stem = INPUTS.match(name)
        if other is not dto and stem is not None and stem.group(1) == model.name != name:
            found |= dict.fromkeys(other.fields.keys() - found.keys(), name)
    return found


def _missing(
    dto: Dto, model: MappedClass, lost: list[MappedColumn], written: dict[str, str], module: Module
) -> Site | None:
    held = [c for c in model.columns if c.attr in names(dto)]
    count, content = len(held), [c for c in held if not _is_left_out(c)]
    whole = count >= MIRROR * len(model.columns) and len(content) > 1
    if not whole and content:
        lost = [c for c in lost if c.attr in written]
    if not lost:
        return None
    named = ", ".join(c.attr for c in lost)
    taken = next(
        (f"; {written[c.attr]} takes {c.attr}, which no client reads back" for c in lost if c.attr in written), ""
    )
    message = (
        f"{dto.node.name} mirrors {model.name} ({model.path}:{model.line}) and has no field for {named}: what is "
        f"stored there is left out of the response{taken}"
    )
    fault = Fault("missing-fields", Severity.MEDIUM, message)
    line = dto.node.lineno
    if not whole:
        what = f"it has {count} of {len(model.columns)} columns, and may be a view of its own"
        reason = Reason("may-be-a-view", f"{what}; add by hand what the client needs")
        return Refusal(ID, line, line, reason, replace(fault, severity=Severity.LOW))
    if not dto.own:
        reason = Reason("no-own-fields", "the model writes no field of its own to add them to; add them by hand")
        return Refusal(ID, line, line, reason, fault)
    hiding = [c.attr for c in lost if c.attr in TAKEN or c.attr.startswith("model_")]
    if hiding:
        message = (
            f"a field named {hiding[0]} hides what the model needs by that name; add it under another, with an alias"
        )
        return Refusal(ID, line, line, Reason("name-hides", message), fault)
    anchor = dto.own[-1].statement
    text = "\n".join(f"{column.attr}: Optional[{python_of(column)}] = None" for column in lost)
    needs = {ImportNeed("typing", "Optional")}
    needs |= {ImportNeed(NEEDS[kind], kind) for kind in map(python_of, lost) if kind in NEEDS}
    grows = f"responses hold {named} from now on: see that the client may have it"
    return Rewrite(
        ID,
        line,
        anchor.end_lineno or anchor.lineno,
        (AddBehind(module.span(anchor), text),),
        imports=tuple(sorted(needs)),
        effects=(Effect("response-grows", line, grows),),
        fault=fault,
    )


def _is_held(name: str, held: set[str], owner: str) -> bool:
    """Whether a field has the column's name, or that name without what only the column needs: `metrics_json`."""
    short = re.sub(r"_(?:json|data|text|str|raw|enum|value)$", "", name)
    heads = {snake(owner), *snake(owner).split("_"), snake(owner)[:4]}
    tails = {short.removeprefix(f"{head}_") for head in heads}
    return bool({name, short, *tails} & held)


def _is_left_out(column: MappedColumn) -> bool:
    """Whether a response leaves a column out: a secret, a key to another row, the books of this one, whose it is."""
    name = column.attr
    key = column.foreign_key or column.primary_key or name.endswith(("_id", "_ids"))
    if (column.impl or column.type) in BYTES:
        return True
    return bool(key or PRIVATE.search(name) or BOOKS.search(name) or ACCESS.search(name))

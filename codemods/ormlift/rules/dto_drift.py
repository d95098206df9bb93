"""Pydantic models that have drifted away from the mapped class that they mirror.

    class SessionResponse(BaseModel):           # Session has a column insights, too: it reaches no client
        id: int
        started_at: str                         # a DateTime column: reading an instance raises ValidationError

        class Config:
            orm_mode = True                     # Pydantic 2 calls it from_attributes, and ignores this

A column is added to the model, and the response goes on without it: data is stored, and lost on the way out. A type or
a missing Optional shows only with the first row that has such a value, as a ValidationError in place of the answer.

A Pydantic model mirrors a mapped class where it is read from attributes (`from_attributes`, `orm_mode`), is a
`response_model` of its file, or is validated from an instance there, and is named after the class: `User`,
`UserResponse`, `UserOut`, `UserRead`, `UserSchema`, `UserDTO`, `UserDetail`. Models for input (`UserCreate`,
`UserUpdate`) and shorter views (`UserSummary`) leave columns out on purpose and are not looked at; nor are columns that
must not leave the server (passwords, hashes, tokens, keys), bytes, which JSON can't hold, keys to other rows, the row's
own books (`updated_at`), what says whose row it is (`tenant_id`, `access_level`), columns that another response of the
same class has, those that three responses of the file leave out, and those that a field of another name stands for
(`phase` for `current_phase`). Where a model has few of the columns it is a view, and told is only what a model for
input takes, so that clients write it and never read it, or that it holds nothing but keys.
Fields that a validator looks at are left alone.

Missing columns are added as optional fields, fields of nullable columns become Optional (both with --unsafe, since the
response changes); `orm_mode` becomes `from_attributes` where the project runs on Pydantic 2.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import (
    Effect,
    Fault,
    ImportNeed,
    Op,
    Reason,
    Refusal,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Severity,
    Site,
)
from ormlift.project.columns import last
from ormlift.project.dtos import Dto, Field, read_dtos
from ormlift.project.names import is_test_path
from ormlift.rules._dto_drift.missing import missing
from ormlift.rules._dto_drift.words import ID, names, python_of
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.dto_drift import EXAMPLES
from ormlift.schema import MappedClass, MappedColumn
from ormlift.syntax import Module, dotted

SUFFIXES = ("DetailResponse", "Response", "Out", "Read", "Schema", "DTO", "Dto", "Detail", "")
LEAST = 0.25  # of the columns: with fewer it is no view of the class

_NUMBERS = frozenset({"Integer", "BigInteger", "SmallInteger", "Float", "Numeric", "INTEGER", "DECIMAL"})
_TIMES = frozenset({"DateTime", "TIMESTAMP", "Date", "Time"})
_TEXTS = frozenset({"String", "Text", "Unicode", "UnicodeText", "VARCHAR", "TEXT"})
_DOCUMENTS = frozenset({"JSON", "JSONB", "ARRAY"})
# By a field's type, the columns whose values it never takes, whatever they are.
NEVER = {
    "str": _TIMES | {"Uuid"} | (_DOCUMENTS - {"JSON", "JSONB"}),
    "int": (_TIMES - {"Time"}) | {"Uuid", "ARRAY"},
    "float": _TIMES | {"Uuid", "ARRAY"},
    "bool": _TIMES | {"Uuid", "ARRAY"},
    "list": _TEXTS | _NUMBERS | _TIMES | {"Boolean", "Uuid"},
    "List": _TEXTS | _NUMBERS | _TIMES | {"Boolean", "Uuid"},
    "dict": _TEXTS | _NUMBERS | _TIMES | {"Boolean", "Uuid", "ARRAY"},
    "Dict": _TEXTS | _NUMBERS | _TIMES | {"Boolean", "Uuid", "ARRAY"},
}
STRICT = {"str": _NUMBERS | {"Boolean"}}  # since Pydantic 2


def find(module: Module, context: Context) -> Iterator[Site]:
    """Everything that has drifted in the file's Pydantic models."""
    if is_test_path(module.source.path):
        return
    dtos = read_dtos(module)
    second = _is_second(module, context)
    asked = _read_here(module)
    built = _built_here(module) - _validated_here(module)
    idle = _idle(module, context)
    mirrors = [(d, m) for d in dtos if (m := _mirrored(d, asked, context)) is not None and d.node.name not in idle]
    for dto in dtos:
        yield from _renamed_options(dto, module, second=second)
    yield from missing(mirrors, dtos, module)
    for dto, model in mirrors:
        if dto.node.name in built:
            continue
        yield from _types(dto, model, second=second)
        if (never := _nullable(dto, model, module)) is not None:
            yield never


def _is_second(module: Module, context: Context) -> bool:
    """Whether the file runs under Pydantic 2, as the project's requirements or its own imports tell."""
    known = context.index.versions.get("pydantic")
    if known is not None:
        return known == 2
    targets = set(module.imports.values())
    return any(f"pydantic.{name}" in targets for name in ("ConfigDict", "field_validator", "model_validator"))


def _built_here(module: Module) -> frozenset[str]:
    """The models that the file builds by naming their fields, so that what it hands over is converted there."""
    calls = (c for c in module.calls if isinstance(c.func, ast.Name) and len(c.keywords) > 1)
    return frozenset(c.func.id for c in calls if isinstance(c.func, ast.Name))


def _read_here(module: Module) -> frozenset[str]:
    """The models that the file itself reads from instances: as a response, or by validating."""
    found = set(_validated_here(module))
    for call in module.calls:
        for keyword in call.keywords:
            if keyword.arg == "response_model":
                found |= {n.id for n in ast.walk(keyword.value) if isinstance(n, ast.Name)}
    return frozenset(found)


def _idle(module: Module, context: Context) -> frozenset[str]:
    """The classes that nothing uses, in a file of which others are used: by functions, other files, or such classes."""
    classes = {n.name: n for n in module.tree.body if isinstance(n, ast.ClassDef)}
    imports, path = context.index.imports, module.source.path
    taken = {name for name in classes if imports.imported_from(path, name)}
    routes = "response_model" in module.source.text  # such a file is imported whole for its router
    if not routes and (not taken or all(imports.may_be_read(path, name) for name in classes)):
        return frozenset()
    inside = {name: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} for name, node in classes.items()}
    others = (n for n in module.tree.body if not isinstance(n, ast.ClassDef))
    live = taken | {n.id for node in others for n in ast.walk(node) if isinstance(n, ast.Name)}
    pending = list(live & classes.keys())
    while pending:
        more = (inside[pending.pop()] & classes.keys()) - live
        live |= more
        pending += more
    return frozenset(classes.keys() - live)


def _validated_here(module: Module) -> frozenset[str]:
    """The models that are validated from an instance by name."""
    reads = ("from_orm", "model_validate")
    calls = (c.func for c in module.calls if isinstance(c.func, ast.Attribute) and c.func.attr in reads)
    return frozenset(last(dotted(func.value)) for func in calls)


def _mirrored(dto: Dto, asked: frozenset[str], context: Context) -> MappedClass | None:
    """The mapped class that a Pydantic model mirrors, or None."""
    name = dto.node.name
    if not dto.complete or dto.is_base or not (dto.from_attributes or name in asked):
        return None
    for suffix in SUFFIXES:
        stem = name.removesuffix(suffix) if suffix and name != suffix else name
        if suffix and stem == name:
            continue
        found = [m for m in context.index.models if m.name == stem and not m.is_table and not is_test_path(m.path)]
        if len(found) == 1 and found[0].complete and not found[0].inherits_mapped:
            return found[0] if _overlaps(dto, found[0]) else None
    return None


def _overlaps(dto: Dto, model: MappedClass) -> bool:
    attributes = {c.attr for c in model.columns} | {r.attr for r in model.relationships}
    attributes |= set(model.methods) | set(model.hybrids)
    held = names(dto)
    shared = sum(c.attr in held for c in model.columns)
    return shared >= LEAST * len(model.columns) and len(set(dto.fields) & attributes) * 2 >= len(dto.fields)


# Values that a field does not take


def _types(dto: Dto, model: MappedClass, *, second: bool) -> Iterator[Site]:
    for field, column in _pairs(dto, model):
        if _is_never(field, column, second=second):
            message = (
                f"{field.name} is {field.type}, and {model.name}.{column.attr} is a {column.type} column: reading an "
                "instance raises ValidationError"
            )
            kind = python_of(column)
            way = f"make it {kind}" if kind != "Any" else "give it the type of the column's values"
            reason = Reason("type-by-hand", f"clients read the type: {way}, or convert it in a validator")
            line = field.statement.lineno
            fault = Fault("type-differs", Severity.HIGH, message)
            yield Refusal(ID, line, field.statement.end_lineno or line, reason, fault)


def _pairs(dto: Dto, model: MappedClass) -> Iterator[tuple[Field, MappedColumn]]:
    """The model's own fields with the columns that they are read from; those of validators are left out."""
    columns = {c.attr: c for c in model.columns}
    if "*" in dto.validated or not dto.from_attributes:
        return
    for field in dto.own:
        column = columns.get(field.name)
        if column is not None and not field.aliases and field.name not in dto.validated:
            yield field, column


def _is_never(field: Field, column: MappedColumn, *, second: bool) -> bool:
    if column.impl:
        return False
    kind = column.type
    if kind == "UUID" and "as_uuid=True" in column.type_args.replace(" ", ""):
        kind = "Uuid"
    if kind == "Numeric" and "asdecimal" in column.type_args:
        return False
    return kind in NEVER.get(field.type, ()) or (second and kind in STRICT.get(field.type, ()))


def _nullable(dto: Dto, model: MappedClass, module: Module) -> Site | None:
    """Fields that take no None, of columns that the model says may be NULL."""
    found = [
        field
        for field, column in _pairs(dto, model)
        if column.nullable
        and column.nullable_stated
        and not (column.primary_key or column.default or column.server_default or field.optional)
        and field.type
    ]
    if not found:
        return None
    named = ", ".join(field.name for field in found)
    message = (
        f"{named} of {dto.node.name} can't be None, and {model.name}'s columns are nullable: a row that holds NULL"
    )
    fault = Fault("nullable-differs", Severity.MEDIUM, f"{message} there raises ValidationError")
    ops = tuple(_optional(field, module) for field in found)
    effects = tuple(
        Effect("field-optional", f.statement.lineno, f"{f.name} may be None in responses from now on") for f in found
    )
    lines = [(f.statement.lineno, f.statement.end_lineno or f.statement.lineno) for f in found]
    needs = (ImportNeed("typing", "Optional"),)
    first, end = min(lines)[0], max(last for _, last in lines)
    return Rewrite(ID, first, end, ops, imports=needs, effects=effects, fault=fault)


def _optional(field: Field, module: Module) -> Op:
    annotation = field.statement.annotation
    return ReplaceExpr(module.span(annotation), f"Optional[{module.text(annotation)}]")


# Configuration


def _renamed_options(dto: Dto, module: Module, *, second: bool) -> Iterator[Site]:
    """`orm_mode`, which Pydantic 2 ignores."""
    names = {name for name, _, _ in dto.config}
    for name, value, node in dto.config if second else ():
        if name != "orm_mode" or not (isinstance(value, ast.Constant) and value.value is True):
            continue
        line = value.lineno
        message = (
            f"Pydantic 2 ignores orm_mode (a UserWarning says so): {dto.node.name} can't be read from an instance, "
            "which raises ValidationError"
        )
        fault = Fault("orm-mode", Severity.HIGH, message)
        if "from_attributes" in names or not isinstance(node, ast.Assign | ast.Constant):
            way = "from_attributes is set as well: take orm_mode out" if "from_attributes" in names else "rename it"
            yield Refusal(ID, line, line, Reason("option-by-hand", f"{way} by hand"), fault)
        elif isinstance(node, ast.Assign):
            op: Op = ReplaceStatement(module.span(node), "from_attributes = True")
            yield Rewrite(ID, node.lineno, node.end_lineno or node.lineno, (op,), fault=fault)
        else:
            text = module.text(node).replace("orm_mode", "from_attributes")
            op = ReplaceExpr(module.span(node), text)
            yield Rewrite(ID, node.lineno, node.end_lineno or node.lineno, (op,), fault=fault)


CODEMOD = Codemod(
    id=ID,
    title="Pydantic models that miss or contradict columns of the class they mirror -> the columns' fields",
    explanation=__doc__ or "",
    needles=((b"BaseModel", b"class "),),
    reasons={
        "type-by-hand": (
            "Which of the two types is right, and what clients do with it, cannot be read from the code. Change the "
            "field, or convert the value in a validator."
        ),
        "may-be-a-view": (
            "The model has few of the columns and may be a view of its own: told is what clients write and never read "
            "back, or that nothing but keys is left. Name it after what it shows, or add by hand what clients need."
        ),
        "no-own-fields": "The model writes no field of its own behind which the missing ones could stand.",
        "name-hides": (
            "A field of that name would hide a type (`date: Optional[date] = None` means None) or a method of "
            "Pydantic's. Add it under another name, with an alias."
        ),
        "option-by-hand": "The configuration is written so that no edit can rename the option. Rename it by hand.",
    },
    effects={
        "response-grows": "Responses hold columns that they did not. See that the client may have them.",
        "field-optional": "A field of the response may be None, which its schema excluded until now.",
    },
    faults={
        "missing-fields": (
            "The model has columns that the Pydantic model lacks: what is stored there is lost on the way to the "
            "client, without any error."
        ),
        "type-differs": (
            "The field's type never takes what the column holds: reading an instance raises ValidationError, and the "
            "client gets a 500."
        ),
        "nullable-differs": (
            "The column may hold NULL and the field may not be None: the first such row raises ValidationError in "
            "place of the response."
        ),
        "orm-mode": (
            "Pydantic 2 renamed orm_mode to from_attributes and ignores the old name, so that the model is read from "
            "dicts alone: reading an instance raises ValidationError."
        ),
    },
    find=find,
    examples=EXAMPLES,
)

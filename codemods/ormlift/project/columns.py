"""Reads one column: `Column(...)`, `mapped_column(...)`, a `Mapped[...]` annotation, or an SQLModel field."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ormlift.schema import MappedColumn
from ormlift.syntax import dotted

COLUMN_CALLS = {"Column", "mapped_column", "MappedColumn"}
UNREAD = "?"  # a foreign key whose target is an expression: it may lead anywhere
WRAPPERS = {"deferred", "column_property", "synonym_for"}  # take a Column as their first argument
NO_TYPES = {
    "ForeignKey",
    "Sequence",
    "Identity",
    "Computed",
    "FetchedValue",
    "DefaultClause",
    "CheckConstraint",
    "UniqueConstraint",
    "Constraint",
}
PYTHON_TYPES = {
    "int": "Integer",
    "str": "String",
    "bool": "Boolean",
    "float": "Float",
    "Decimal": "Numeric",
    "decimal.Decimal": "Numeric",
    "datetime": "DateTime",
    "datetime.datetime": "DateTime",
    "dt.datetime": "DateTime",
    "date": "Date",
    "datetime.date": "Date",
    "time": "Time",
    "datetime.time": "Time",
    "timedelta": "Interval",
    "datetime.timedelta": "Interval",
    "bytes": "LargeBinary",
    "UUID": "Uuid",
    "uuid.UUID": "Uuid",
}


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column as its own file tells it; names are resolved when the files are linked."""

    column: MappedColumn
    type_name: str = ""  # the type as written, dotted: `sa.String`, `types.JSONText`
    annotation: str = ""  # the Python type of `Mapped[...]`, where the type must come from it
    nullable_given: bool = True  # false: nullability follows the annotation or its alias
    readable: bool = True  # false: something of it could not be read


def last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def called(node: ast.expr | None, imports: Mapping[str, str]) -> str:
    """The bare name of what a call calls, import aliases undone: `C(...)` with `Column as C` gives `Column`."""
    if not isinstance(node, ast.Call):
        return ""
    name = dotted(node.func)
    return last(imports.get(name, name))


def read_column(attr: str, value: ast.expr, imports: Mapping[str, str]) -> RawColumn | None:
    """The column that an assignment `attr = value` makes, or None where it makes none."""
    name = called(value, imports)
    assert isinstance(value, ast.Call) or not name
    if name in WRAPPERS and isinstance(value, ast.Call) and value.args:
        raw = read_column(attr, value.args[0], imports)
        return raw if raw is None or name != "deferred" else replace(raw, column=replace(raw.column, deferred=True))
    return _column_call(attr, value, imports) if name in COLUMN_CALLS and isinstance(value, ast.Call) else None


def _column_call(attr: str, call: ast.Call, imports: Mapping[str, str]) -> RawColumn:
    options = {k.arg: k.value for k in call.keywords if k.arg}
    positional = list(call.args)
    given = options.get("name")
    if positional and isinstance(positional[0], ast.Constant) and isinstance(positional[0].value, str):
        given = positional.pop(0)
    type_node = options.get("type_")
    foreign, generated, sequence = "", False, False
    for argument in positional:
        kind = called(argument, imports)
        if kind == "ForeignKey" and isinstance(argument, ast.Call):
            foreign = _foreign_key(argument.args[0] if argument.args else None) or UNREAD
        elif kind in ("Computed", "Identity", "FetchedValue"):
            generated = True
        elif kind == "Sequence":
            sequence = True
        elif kind not in NO_TYPES and type_node is None:
            type_node = argument
    type_name, type_args = type_of(type_node)
    name = _text(given)
    primary = _true(options.get("primary_key"))
    readable = all(k.arg for k in call.keywords) and (given is None or bool(name))
    readable = readable and not any(isinstance(a, ast.Starred) for a in positional)
    column = MappedColumn(
        attr,
        name or attr,
        last(imports.get(type_name, type_name)),
        type_args,
        nullable=_flag(options.get("nullable"), default=not primary),
        primary_key=primary,
        unique=_true(options.get("unique")),
        default=sequence or _given(options, "default", "insert_default", "default_factory"),
        server_default=generated or _given(options, "server_default"),
        onupdate=_given(options, "onupdate", "server_onupdate"),
        foreign_key=foreign,
        line=call.lineno,
        nullable_stated="nullable" in options,
        deferred=_true(options.get("deferred")),
        mutable=type_node is not None and "utable" in f"{ast.unparse(type_node)} {imports.get(type_name, '')}",
    )
    fixed = primary or "nullable" in options or called(call, imports) == "Column"
    return RawColumn(column, type_name, "", fixed, readable)


def _given(options: Mapping[str, ast.expr], *names: str) -> bool:
    """Whether one of the options is set to something other than None."""
    values = [options[n] for n in names if n in options]
    return any(not (isinstance(v, ast.Constant) and v.value is None) for v in values)


def _foreign_key(target: ast.expr | None) -> str:
    if target is None or isinstance(target, ast.Constant):
        return _text(target)
    return dotted(target) or UNREAD


def type_of(node: ast.expr | None) -> tuple[str, str]:
    """The dotted name and the arguments of a type expression; variants of other dialects are left out."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in ("with_variant", "as_mutable", "as_generic"):
            break
        inner = node.args[0] if node.func.attr == "as_mutable" and node.args else node.func.value
        node = inner
    if isinstance(node, ast.Call):
        arguments = [ast.unparse(a) for a in node.args] + [ast.unparse(k) for k in node.keywords]
        return dotted(node.func), ", ".join(arguments)
    return (dotted(node), "") if node is not None else ("", "")


def read_mapped(
    attr: str, annotation: ast.expr, value: ast.expr | None, imports: Mapping[str, str]
) -> RawColumn | None:
    """The column that `attr: Mapped[...] = value` makes, or None where the annotation is no `Mapped`."""
    inner = mapped_argument(annotation)
    if inner is None:
        return None
    python, optional = python_type(inner)
    raw = read_column(attr, value, imports) if value is not None else None
    if value is not None and raw is None:
        return None
    if raw is None:
        raw = RawColumn(MappedColumn(attr, attr, "", line=annotation.lineno), nullable_given=False)
    if not raw.nullable_given:
        raw = replace(raw, column=replace(raw.column, nullable=optional, nullable_stated=True))
    return raw if raw.type_name else replace(raw, annotation=python)


def mapped_argument(annotation: ast.expr) -> ast.expr | None:
    """What stands between the brackets of `Mapped[...]`, or None."""
    annotation = unquoted(annotation)
    if isinstance(annotation, ast.Subscript) and last(dotted(annotation.value)) == "Mapped":
        return unquoted(annotation.slice)
    return None


def unquoted(node: ast.expr) -> ast.expr:
    """An annotation with its quotes taken off, where it has any and parses."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.copy_location(ast.parse(node.value, mode="eval").body, node)
        except SyntaxError:
            return node
    return node


def python_type(node: ast.expr) -> tuple[str, bool]:
    """The dotted name of an annotation, and whether None is allowed."""
    node = unquoted(node)
    match node:
        case ast.Subscript(value=outer, slice=inner) if last(dotted(outer)) == "Optional":
            return python_type(inner)[0], True
        case ast.Subscript(value=outer, slice=ast.Tuple(elts=members)) if last(dotted(outer)) == "Union":
            return _union(list(members))
        case ast.Subscript(value=outer, slice=ast.Tuple(elts=[inner, *_])) if last(dotted(outer)) == "Annotated":
            return python_type(inner)
        case ast.Subscript(value=outer):
            return dotted(outer), False
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union([left, right])
    return dotted(node), False


def _union(members: list[ast.expr]) -> tuple[str, bool]:
    kept = [m for m in members if not (isinstance(m, ast.Constant) and m.value is None)]
    read = [python_type(m) for m in kept]
    optional = len(kept) < len(members) or any(o for _, o in read)
    return (read[0][0] if len(read) == 1 else ""), optional


def read_field(attr: str, annotation: ast.expr, value: ast.expr | None, imports: Mapping[str, str]) -> RawColumn | None:
    """The column that an SQLModel field makes, or None where the attribute makes none."""
    if last(dotted(annotation.value if isinstance(annotation, ast.Subscript) else annotation)) == "ClassVar":
        return None
    if called(value, imports) == "Relationship":
        return None
    python, optional = python_type(annotation)
    call = value if isinstance(value, ast.Call) and called(value, imports) == "Field" else None
    options = {k.arg: k.value for k in call.keywords if k.arg} if call else {}
    if (given := options.get("sa_column")) is not None:
        return read_column(attr, given, imports)
    primary = _true(options.get("primary_key"))
    type_name, type_args = type_of(options.get("sa_type"))
    extra = options.get("sa_column_kwargs")
    more = extra.keys if isinstance(extra, ast.Dict) else []
    keys = {k.value for k in more if isinstance(k, ast.Constant)}
    column = MappedColumn(
        attr,
        attr,
        last(type_name),
        type_args,
        nullable=_flag(options.get("nullable"), default=optional and not primary),
        primary_key=primary,
        unique=_true(options.get("unique")),
        default=_field_default(value, call, options) or "default" in keys,
        server_default="server_default" in keys,
        onupdate="onupdate" in keys,
        foreign_key=_foreign_key(options.get("foreign_key")),
        line=annotation.lineno,
    )
    readable = extra is None or (isinstance(extra, ast.Dict) and "name" not in keys)
    return RawColumn(column, type_name, "" if type_name else python, readable=readable)


def _field_default(value: ast.expr | None, call: ast.Call | None, options: Mapping[str, ast.expr]) -> bool:
    if call is None:
        return value is not None and not (isinstance(value, ast.Constant) and value.value is None)
    if call.args:
        return not (isinstance(call.args[0], ast.Constant) and call.args[0].value in (None, ...))
    return _given(options, "default", "default_factory")


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _flag(node: ast.expr | None, *, default: bool) -> bool:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, bool) else default

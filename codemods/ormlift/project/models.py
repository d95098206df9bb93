"""Reads the classes and tables of one file: what they map, as far as the file alone tells."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from ormlift.project.bodies import flat, returned
from ormlift.project.columns import RawColumn, called, last, read_column, read_field, read_mapped, type_of
from ormlift.project.methods import Method, read_method
from ormlift.project.relations import read_relationship
from ormlift.schema import Relationship
from ormlift.syntax import FunctionNode, dotted

RELATIONSHIP_CALLS = {"relationship", "relation", "dynamic_loader", "Relationship"}
NO_COLUMN_CALLS = {
    "association_proxy",
    "column_property",
    "composite",
    "hybrid_property",
    "synonym",
    "query_expression",
    "getLogger",
}


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class, mapped or not, as its own file tells it."""

    name: str
    line: int
    bases: tuple[str, ...] = ()  # dotted, as written
    table: str = ""  # `__tablename__`
    table_rule: str = ""  # the expression that makes the name where it is no literal; or `unreadable`
    table_variable: str = ""  # `__table__ = variable`
    schema: str = ""
    abstract: bool = False
    sqlmodel_table: bool = False
    declarative: bool = False  # it is itself a declarative base: metaclass, `registry().generate_base()`
    mapped: bool = False  # decorated with `@registry.mapped`, `@registry.mapped_as_dataclass`
    columns: tuple[RawColumn, ...] = ()
    fields: tuple[RawColumn, ...] = ()  # plain annotated attributes, which are columns if it is an SQLModel
    relationships: tuple[Relationship, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()  # of composite constraints: (column, `table.column`)
    hooks: tuple[str, ...] = ()
    hybrids: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    readable: bool = True
    impl: str = ""  # of a TypeDecorator: the type it is stored as
    type_map: tuple[tuple[str, str], ...] = ()  # `type_annotation_map`


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One `Table("name", metadata, ...)`."""

    variable: str
    line: int
    table: str
    schema: str = ""
    columns: tuple[RawColumn, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    readable: bool = True


@dataclass
class _Draft:
    """What has been read of a class body so far."""

    columns: list[RawColumn] = field(default_factory=list)
    fields: list[RawColumn] = field(default_factory=list)
    relationships: list[Relationship] = field(default_factory=list)
    unique_keys: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[tuple[str, str]] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    hybrids: list[str] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    table: str = ""
    table_rule: str = ""
    table_variable: str = ""
    schema: str = ""
    abstract: bool = False
    readable: bool = True
    impl: str = ""
    type_map: list[tuple[str, str]] = field(default_factory=list)


def read_class(node: ast.ClassDef, imports: Mapping[str, str]) -> ClassFacts:
    """What one class statement says."""
    draft = _Draft()
    for statement in flat(node.body):
        _read_statement(draft, statement, imports)
    keywords = {k.arg: k.value for k in node.keywords if k.arg}
    decorators = {last(dotted(d.func if isinstance(d, ast.Call) else d)) for d in node.decorator_list}
    return ClassFacts(
        node.name,
        node.lineno,
        tuple(_base_name(b) for b in node.bases),
        draft.table,
        draft.table_rule,
        draft.table_variable,
        draft.schema,
        draft.abstract,
        sqlmodel_table=isinstance(t := keywords.get("table"), ast.Constant) and t.value is True,
        declarative="as_declarative" in decorators
        or last(dotted(keywords.get("metaclass", ast.Pass()))).startswith("Declarative"),
        mapped=bool(decorators & {"mapped", "mapped_as_dataclass"}),
        columns=tuple(draft.columns),
        fields=tuple(draft.fields),
        relationships=tuple(draft.relationships),
        unique_keys=tuple(draft.unique_keys),
        foreign_keys=tuple(draft.foreign_keys),
        hooks=tuple(draft.hooks),
        hybrids=tuple(draft.hybrids),
        methods=tuple(draft.methods),
        readable=draft.readable,
        impl=draft.impl,
        type_map=tuple(draft.type_map),
    )


def head_of(node: ast.ClassDef) -> ClassFacts:
    """Of what a class statement says, its name and its bases alone."""
    return ClassFacts(node.name, node.lineno, tuple(_base_name(b) for b in node.bases))


def _base_name(node: ast.expr) -> str:
    """A base's dotted name: of `Generic[T]` the name before the bracket, of `declarative_base()` with brackets."""
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return dotted(node.value if isinstance(node, ast.Subscript) else node)


def _read_statement(draft: _Draft, statement: ast.stmt, imports: Mapping[str, str]) -> None:
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name):
                    _read_assignment(draft, target.id, value, imports)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            _read_annotated(draft, name, annotation, value, imports)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _read_method(draft, statement, imports)


def _read_assignment(draft: _Draft, name: str, value: ast.expr, imports: Mapping[str, str]) -> None:
    match name:
        case "__tablename__":
            draft.table, draft.table_rule = _literal_or_rule(value)
        case "__bind_key__":
            draft.hooks.append("__bind_key__")
        case "__abstract__":
            draft.abstract = isinstance(value, ast.Constant) and value.value is True
        case "__table_args__":
            _read_table_args(draft, value, imports)
        case "__mapper_args__":
            _read_mapper_args(draft, value)
        case "__table__":
            _read_inner_table(draft, value, imports)
        case "impl":
            draft.impl = type_of(value)[0]
        case "type_annotation_map" if isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            draft.type_map += [(dotted(k), type_of(v)[0]) for k, v in pairs if k is not None and dotted(k)]
        case _:
            _read_attribute(draft, name, value, imports)


def _literal_or_rule(value: ast.expr) -> tuple[str, str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value, ""
    return "", "unreadable"


def _read_inner_table(draft: _Draft, value: ast.expr, imports: Mapping[str, str]) -> None:
    table = read_table("", value, imports)
    if table is None:
        draft.table_variable = dotted(value)
        draft.readable = draft.readable and bool(draft.table_variable)
        return
    draft.table, draft.schema = table.table, table.schema
    draft.columns += table.columns
    draft.unique_keys += table.unique_keys
    draft.readable = draft.readable and table.readable


def _read_mapper_args(draft: _Draft, value: ast.expr) -> None:
    if not isinstance(value, ast.Dict):
        draft.hooks.append("mapper_args")
        return
    keys = [k.value for k in value.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    draft.hooks += [k for k in keys if k in ("polymorphic_on", "version_id_col", "exclude_properties", "primary_key")]


def _read_attribute(draft: _Draft, name: str, value: ast.expr, imports: Mapping[str, str]) -> None:
    if (column := read_column(name, value, imports)) is not None:
        draft.columns.append(column)
    elif (kind := called(value, imports)) in RELATIONSHIP_CALLS and isinstance(value, ast.Call):
        draft.relationships.append(read_relationship(name, value, None, imports))
    elif _may_make_column(value, kind):
        draft.readable = False


def _may_make_column(value: ast.expr, kind: str) -> bool:
    """Whether an attribute's value may be a column by a way that is not read, such as a helper that returns one."""
    return isinstance(value, ast.Call) and (kind.lower().endswith("column") or kind.endswith(("_col", "_pk", "_fk")))


def _read_annotated(
    draft: _Draft, name: str, annotation: ast.expr, value: ast.expr | None, imports: Mapping[str, str]
) -> None:
    if name.startswith("__"):
        if value is not None:
            _read_assignment(draft, name, value, imports)
        return
    if called(value, imports) in RELATIONSHIP_CALLS and isinstance(value, ast.Call):
        draft.relationships.append(read_relationship(name, value, annotation, imports))
    elif (column := read_mapped(name, annotation, value, imports)) is not None or (
        value is not None and (column := read_column(name, value, imports)) is not None
    ):
        draft.columns.append(column)
    elif (column := read_field(name, annotation, value, imports)) is not None:
        draft.fields.append(column)


def _read_method(draft: _Draft, node: FunctionNode, imports: Mapping[str, str]) -> None:
    decorators = [last(dotted(d.func if isinstance(d, ast.Call) else d)) for d in node.decorator_list]
    if not {"declared_attr", "setter", "deleter"} & set(decorators) and node.name != "__init__":
        draft.methods.append(read_method(node, frozenset(decorators)))
    if "declared_attr" in decorators or "directive" in decorators or "cascading" in decorators:
        _read_declared(draft, node, imports)
    elif node.name == "__tablename__":
        draft.table_rule = _table_rule(node)
    elif "validates" in decorators:
        draft.hooks.append(f"validates:{node.name}")
    elif "hybrid_property" in decorators or "hybrid_method" in decorators:
        draft.hybrids.append(node.name)


def _read_declared(draft: _Draft, node: FunctionNode, imports: Mapping[str, str]) -> None:
    results = returned(flat(node.body))
    if node.name == "__tablename__":
        draft.table_rule = _table_rule(node)
    elif node.name == "__mapper_args__":
        draft.hooks.append("mapper_args")
    elif node.name == "__table_args__":
        for value in results:
            _read_table_args(draft, value, imports)
    elif len(results) == 1:
        before = len(draft.columns) + len(draft.relationships)
        _read_attribute(draft, node.name, results[0], imports)
        known = len(draft.columns) + len(draft.relationships) > before or called(results[0], imports) in NO_COLUMN_CALLS
        draft.readable = draft.readable and known
    else:
        draft.readable = False


def _table_rule(node: FunctionNode) -> str:
    """The expression by which a `__tablename__` method makes the name, its local variables put in place."""
    statements = flat(node.body)
    results = returned(statements)
    if len(results) != 1 or not node.args.args:
        return "unreadable"
    known = {
        s.targets[0].id: s.value for s in statements if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)
    }
    value = results[0]
    for _ in range(3):
        value = known.get(value.id, value) if isinstance(value, ast.Name) else value
    first = node.args.args[0].arg
    return ast.unparse(value).replace(f"{first}.__name__", "cls.__name__")


def _read_table_args(draft: _Draft, value: ast.expr, imports: Mapping[str, str]) -> None:
    options = value
    if isinstance(value, ast.Tuple | ast.List):
        for element in value.elts:
            draft.unique_keys += _unique_key(element, imports)
            draft.foreign_keys += _composite_foreign_key(element, imports)
        options = value.elts[-1] if value.elts else value
    if isinstance(options, ast.Dict):
        draft.schema = _schema_option(options) or draft.schema


def _schema_option(node: ast.Dict) -> str:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "schema":
            literal = isinstance(value, ast.Constant) and isinstance(value.value, str)
            return value.value if literal else ""  # type: ignore[attr-defined]
    return ""


def _unique_key(node: ast.expr, imports: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The columns of a `UniqueConstraint(...)` or a unique `Index(...)`, as a list of none or one."""
    kind = called(node, imports)
    if not isinstance(node, ast.Call) or kind not in ("UniqueConstraint", "Index"):
        return []
    names = [a.value if isinstance(a, ast.Constant) else last(dotted(a)) for a in node.args]
    options = {k.arg: k.value for k in node.keywords if k.arg}
    if kind == "Index":
        unique = options.get("unique")
        partial = any(o.endswith("_where") for o in options)
        if not (isinstance(unique, ast.Constant) and unique.value is True) or partial:
            return []
        names = names[1:]
    return [tuple(str(n) for n in names)] if names and all(names) else []


def _composite_foreign_key(node: ast.expr, imports: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pairs of a `ForeignKeyConstraint(["a", "b"], ["t.a", "t.b"])`."""
    if called(node, imports) != "ForeignKeyConstraint" or not isinstance(node, ast.Call) or len(node.args) < 2:
        return []
    sides = [[e.value for e in a.elts if isinstance(e, ast.Constant)] for a in node.args[:2] if hasattr(a, "elts")]
    return [(str(a), str(b)) for a, b in zip(*sides, strict=False)] if len(sides) == 2 else []


def read_table(variable: str, value: ast.expr, imports: Mapping[str, str]) -> TableFacts | None:
    """The table that `variable = Table("name", metadata, ...)` makes, or None where it makes none."""
    if called(value, imports) != "Table" or not isinstance(value, ast.Call) or not value.args:
        return None
    name = value.args[0]
    if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return None
    columns: list[RawColumn] = []
    keys: list[tuple[str, ...]] = []
    options = {k.arg: k.value for k in value.keywords}
    readable = not {None, "autoload", "autoload_with"} & set(options)
    for argument in value.args[1:]:
        column = read_column("", argument, imports)
        if column is not None and isinstance(argument, ast.Call):
            columns.append(_table_column(column, argument))
        keys += _unique_key(argument, imports)
        readable = readable and not isinstance(argument, ast.Starred)
    schema = options.get("schema")
    literal = isinstance(schema, ast.Constant) and isinstance(schema.value, str)
    text = schema.value if literal else ""  # type: ignore[union-attr]
    return TableFacts(variable, value.lineno, name.value, text, tuple(columns), tuple(keys), readable)


def _table_column(raw: RawColumn, call: ast.Call) -> RawColumn:
    """A column of a Table: its attribute of `table.c` is its key, or else its name."""
    from dataclasses import replace

    key = next((k.value.value for k in call.keywords if k.arg == "key" and isinstance(k.value, ast.Constant)), None)
    return replace(raw, column=replace(raw.column, attr=str(key or raw.column.name)))

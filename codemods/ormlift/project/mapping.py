"""Links the classes of all files to mapped classes: bases, mixins, table names, column types, listeners."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ormlift.project.columns import PYTHON_TYPES, RawColumn, last
from ormlift.project.methods import changes_others, mutating
from ormlift.project.models import ClassFacts, TableFacts
from ormlift.project.names import Names, is_test_path
from ormlift.schema import MappedClass, MappedColumn, Relationship

Key = tuple[str, str]  # path and class name

DECLARATIVE = {"DeclarativeBase", "DeclarativeBaseNoMeta", "MappedAsDataclass"}
PLAIN_BASES = {
    "object",
    "Generic",
    "ABC",
    "Enum",
    "str",
    "int",
    "UserMixin",
    "Protocol",
    "MappedAsDataclass",
    "AsyncAttrs",
    "ConcreteBase",
    "AbstractConcreteBase",
    "SerializerMixin",
    "BaseModel",
}


@dataclass(frozen=True)
class ModelLinker:
    """All classes of the project, and the questions that make mapped classes of them."""

    names: Names

    @cached_property
    def classes(self) -> dict[Key, ClassFacts]:
        """Every class by its file and name."""
        return {(path, c.name): c for path, facts in self.names.files.items() for c in facts.classes}

    @cached_property
    def _doubled(self) -> set[Key]:
        """The names that a file gives to more than one class: which of them counts is not known here."""
        counts = Counter((path, c.name) for path, facts in self.names.files.items() for c in facts.classes)
        return {key for key, count in counts.items() if count > 1}

    def models(self) -> tuple[MappedClass, ...]:
        """The mapped classes and tables, those of the application before those of its tests."""
        found = [m for key in self.classes if (m := self._mapped(key)) is not None]
        found = _without_shared_tables(found)
        found += [self._table(path, t) for path, t in self._free_tables()]
        found = self._with_listeners(found)
        found = [self._foreign_keys(m) for m in found]
        return tuple(sorted(found, key=lambda m: (is_test_path(m.path), m.path, m.line)))

    def bases(self) -> list[Key]:
        """The declarative bases of the application: classes, and variables that `declarative_base()` made."""
        found = [key for key, facts in self.classes.items() if facts.declarative or self._is_base(key, facts)]
        for path, facts in self.names.files.items():
            held = [b.name for b in facts.bindings if not b.owner and self._is_base_variable(path, b.name)]
            found += [(path, name) for name in held]
        return sorted({key for key in found if not is_test_path(key[0])})

    def base_key(self, path: str, name: str) -> Key | None:
        """The project's class that a base's name means."""
        place = self.names.place(path, name)
        return (place.path, place.name) if (place.path, place.name) in self.classes else None

    def ancestors(self, key: Key, seen: frozenset[Key] = frozenset()) -> list[Key]:
        """The project's classes that a class inherits from, nearest first (close to the method resolution order)."""
        found: list[Key] = []
        for base in self.classes[key].bases:
            target = self.base_key(key[0], base)
            if target is not None and target != key and target not in seen:
                found += [target, *self.ancestors(target, seen | {key})]
        return list(dict.fromkeys(found))

    def _lineage(self, key: Key) -> list[tuple[Key, ClassFacts]]:
        return [(k, self.classes[k]) for k in [key, *self.ancestors(key)]]

    def is_declarative(self, key: Key) -> bool:
        """Whether the class is a declarative base or inherits from one."""
        return any(
            f.declarative or f.mapped or self._declarative_base(k, b)
            for k, f in self._lineage(key)
            for b in f.bases or ("",)
        )

    def _declarative_base(self, key: Key, base: str) -> bool:
        if base.endswith("()"):
            return last(base[:-2]) in ("declarative_base", "automap_base", "generate_base")
        target = self.names.place(key[0], base)
        if last(target.name) in DECLARATIVE and not target.path:
            return True
        return self._is_db_model(base) or self._is_base_variable(target.path, target.name)

    def _is_base(self, key: Key, facts: ClassFacts) -> bool:
        """Whether a class only makes the base that others inherit from."""
        places = [self.names.place(key[0], base) for base in facts.bases]
        made = any(base.endswith("()") and self._declarative_base(key, base) for base in facts.bases)
        return not facts.table and (made or any(not p.path and last(p.name) in DECLARATIVE for p in places))

    def _is_base_variable(self, path: str, name: str) -> bool:
        facts = self.names.files.get(path)
        holders = [b.value for b in facts.bindings if b.name == name and not b.owner] if facts else []
        roots = [last(h.root) or h.base.name if h is not None and h.base is not None else "" for h in holders]
        return any(r in ("declarative_base", "automap_base", "generate_base", "as_declarative") for r in roots)

    def _is_db_model(self, base: str) -> bool:
        return base.endswith(".Model") and last(base.removesuffix(".Model")) in ("db", "database", "sa", "flask_db")

    def _is_flask(self, key: Key) -> bool:
        return any(self._is_db_model(b) for _, f in self._lineage(key) for b in f.bases)

    def _is_sqlmodel(self, key: Key) -> bool:
        for k, facts in self._lineage(key):
            places = [self.names.place(k[0], b) for b in facts.bases]
            if any(not p.path and last(p.name) == "SQLModel" for p in places):
                return True
        return False

    def _mapped(self, key: Key) -> MappedClass | None:
        facts = self.classes[key]
        lineage = self._lineage(key)
        imperative = self._imperative_table(key)
        if imperative is not None:
            return self._build(key, lineage, imperative.table, imperative.schema, imperative)
        if facts.abstract or facts.declarative:
            return None
        inner = self._inner_table(key, facts)
        table = inner.table if inner is not None else self._table_name(key, lineage)
        sure = facts.sqlmodel_table or self.is_declarative(key)
        own = bool(facts.table or facts.table_rule or facts.table_variable) and bool(facts.columns or inner)
        if not table or not (sure or own):
            return None
        if (
            not sure
            and not any(c.column.primary_key for _, f in lineage for c in f.columns)
            and inner is None
            and not facts.bases
        ):
            return None
        schema = next((f.schema for _, f in lineage if f.schema), inner.schema if inner else "")
        return self._build(key, lineage, table, schema, inner)

    def _inner_table(self, key: Key, facts: ClassFacts) -> TableFacts | None:
        return self._table_named(key[0], facts.table_variable) if facts.table_variable else None

    def _table_named(self, path: str, name: str) -> TableFacts | None:
        place = self.names.place(path, name)
        facts = self.names.files.get(place.path)
        return next((t for t in facts.tables if t.variable == place.name), None) if facts else None

    def _imperative_table(self, key: Key) -> TableFacts | None:
        for path, target, table in self._imperatives:
            place = self.names.place(path, target)
            if (place.path, place.name) == key:
                return self._table_named(path, table)
        return None

    @cached_property
    def _imperatives(self) -> list[tuple[str, str, str]]:
        return [(p, c, t) for p, f in self.names.files.items() for c, t in f.imperative]

    def _table_name(self, key: Key, lineage: list[tuple[Key, ClassFacts]]) -> str:
        """The table's name: the class's own, one that a mixin makes, the mapped parent's, or the framework's rule."""
        facts = self.classes[key]
        if facts.table:
            return facts.table
        rules = [f.table_rule for _, f in lineage if f.table_rule]
        if rules:
            return _by_rule(facts.name, rules[0])
        if facts.sqlmodel_table:
            return facts.name.lower()
        if self._is_flask(key) and any(c.column.primary_key for _, c in self._own_columns(lineage)):
            return snake(facts.name)
        parent = self._mapped_parent(lineage)
        if parent is not None and (facts.columns or facts.hooks or self.is_declarative(key)):
            return self._table_name(parent, self._lineage(parent))
        return ""

    def _own_columns(self, lineage: list[tuple[Key, ClassFacts]]) -> list[tuple[Key, RawColumn]]:
        """The columns of the class and of its mixins and abstract bases, not those of a mapped parent."""
        parent = self._mapped_parent(lineage)
        above = {k for k, _ in self._lineage(parent)} if parent is not None else set()
        return [(k, c) for k, f in lineage if k not in above for c in self._columns_of(k, f)]

    def _columns_of(self, key: Key, facts: ClassFacts) -> tuple[RawColumn, ...]:
        return (*facts.columns, *facts.fields) if self._is_sqlmodel(key) else facts.columns

    def _mapped_parent(self, lineage: list[tuple[Key, ClassFacts]]) -> Key | None:
        """The nearest ancestor that is itself mapped to a table."""
        for key, facts in lineage[1:]:
            if facts.abstract or not self.is_declarative(key):
                continue
            if facts.table or facts.sqlmodel_table:
                return key
            if self._is_flask(key) and any(c.column.primary_key for c in facts.columns):
                return key
        return None

    def _build(
        self, key: Key, lineage: list[tuple[Key, ClassFacts]], table: str, schema: str, inner: TableFacts | None
    ) -> MappedClass:
        facts = self.classes[key]
        parent = self._mapped_parent(lineage)
        joined = parent is not None and bool(facts.table)
        raw = list(inner.columns) if inner is not None else []
        owned = [(key, c) for c in raw]
        owned += self._own_columns(lineage) if joined else [(k, c) for k, f in lineage for c in self._columns_of(k, f)]
        columns: dict[str, tuple[Key, RawColumn]] = {}
        for owner, column in owned:
            columns.setdefault(column.column.attr, (owner, column))
        typed = {attr: self._typed(owner, lineage, column) for attr, (owner, column) in columns.items()}
        typed = _with_foreign_keys(typed, dict(pair for _, f in reversed(lineage) for pair in reversed(f.foreign_keys)))
        complete = all(column.readable for _, column in columns.values()) and (inner is None or inner.readable)
        complete = (
            complete
            and key not in self._doubled
            and self._bases_known(lineage)
            and (inner is not None or not facts.table_variable)
        )
        methods = [m for _, f in lineage for m in f.methods]
        related = {r.attr for _, f in lineage for r in f.relationships}
        changing = mutating(methods, columns.keys() if complete else (), related, self._changing)
        plain = {m.name for m in methods if m.is_property and not m.whole and set(m.reads) <= columns.keys()} - changing
        return MappedClass(
            facts.name,
            self.names.module(key[0]),
            key[0],
            facts.line,
            table,
            schema,
            tuple(c for c in typed.values() if c is not None),
            (
                *(r if k == key else replace(r, inherited=True) for k, f in lineage for r in f.relationships),
                *(r for k, _ in lineage for r in self._added.get(k, ())),
            ),
            _attrs_to_names(
                [k for _, f in lineage for k in f.unique_keys] + list(inner.unique_keys if inner else ()), typed
            ),
            complete and all(typed.values()),
            inherits_mapped=parent is not None,
            hooks=tuple(dict.fromkeys(h for _, f in lineage for h in f.hooks)),
            mutating_methods=tuple(sorted(changing)),
            methods=tuple(sorted({m.name for m in methods})),
            properties=tuple(sorted({m.name for m in methods if m.is_property})),
            plain_properties=tuple(sorted(plain)),
            mutating_properties=tuple(sorted({m.name for m in methods if m.is_property} & changing)),
            changed_on_load=any(m.on_load for m in methods) and changes_others(methods, related, self._changing),
            hybrids=tuple(dict.fromkeys(h for _, f in lineage for h in f.hybrids)),
            registry=self._registry(lineage),
            own_columns=tuple(attr for attr, (owner, _) in columns.items() if owner == key),
            composite_keys=any(f.foreign_keys for _, f in lineage),
        )

    @cached_property
    def _changing(self) -> frozenset[str]:
        """The names of all methods of mapped classes, and what they inherit from, that change their object."""
        mapped = dict(pair for key in self.classes if self.is_declarative(key) for pair in self._lineage(key))
        found: frozenset[str] = frozenset()
        while True:
            more = [mutating(f.methods, (), {r.attr for r in f.relationships}, found) for f in mapped.values()]
            if found == (found := found.union(*more)):
                return found

    def _registry(self, lineage: list[tuple[Key, ClassFacts]]) -> str:
        """The declarative base at the root of a class, by which classes find one another by name."""
        for key, facts in lineage:
            if facts.declarative or facts.mapped:
                return f"{key[0]}:{key[1]}" if facts.declarative else ""
            for base in facts.bases:
                place = self.names.place(key[0], base.removesuffix(".Model") if self._is_db_model(base) else base)
                if self._is_db_model(base) or self._is_base_variable(place.path, place.name):
                    return f"{place.path}:{place.name}" if place.path else ""
                if base.endswith("()") or (not place.path and last(place.name) in DECLARATIVE):
                    return f"{key[0]}:{key[1]}"
                if not place.path and last(place.name) == "SQLModel":
                    return "SQLModel"
        return ""

    @cached_property
    def _added(self) -> dict[Key, list[Relationship]]:
        """The attributes that other statements set on a class."""
        found: dict[Key, list[Relationship]] = {}
        for path, facts in self.names.files.items():
            for owner, relation in facts.added:
                place = self.names.place(path, owner)
                found.setdefault((place.path, place.name), []).append(replace(relation, inherited=True))
        return found

    def _bases_known(self, lineage: list[tuple[Key, ClassFacts]]) -> bool:
        """Whether every base was read, is a declarative base, or is known to add no columns."""
        if not all(f.readable for _, f in lineage):
            return False
        return all(self._base_known(k, b) for k, f in lineage for b in f.bases)

    def _base_known(self, key: Key, base: str) -> bool:
        if self.base_key(key[0], base) is not None or self._declarative_base(key, base):
            return True
        place = self.names.place(key[0], base)
        return last(place.name) in (PLAIN_BASES | DECLARATIVE | {"SQLModel"})

    def _typed(self, key: Key, lineage: list[tuple[Key, ClassFacts]], raw: RawColumn) -> MappedColumn | None:
        """The column with its type resolved; None where an annotated alias hides what the column is."""
        column = raw.column
        if raw.type_name:
            return self._decorated(key, raw)
        if not raw.annotation:
            return column
        own = {k: v for _, f in reversed(lineage) for k, v in f.type_map}
        kind = own.get(raw.annotation) or PYTHON_TYPES.get(raw.annotation)
        if kind is None and (target := self.base_key(key[0], raw.annotation)) is not None:
            kind = "Enum" if any(last(b).endswith("Enum") for b in self.classes[target].bases) else ""
        return replace(column, type=last(kind or ""))

    def _decorated(self, key: Key, raw: RawColumn) -> MappedColumn:
        """A project's own type keeps its class name; what it is stored as goes into `impl`."""
        place = self.names.place(key[0], raw.type_name)
        target = (place.path, place.name)
        if target in self.classes:
            impl = next((f.impl for _, f in self._lineage(target) if f.impl), "")
            return replace(raw.column, type=target[1], impl=last(impl))
        file = self.names.files.get(place.path)
        held = next((t for t in file.types if t[0] == place.name), None) if file is not None else None
        if held is not None:
            return replace(raw.column, type=last(self.names.place(place.path, held[1]).name), type_args=held[2])
        return replace(raw.column, type=last(place.name))

    def _free_tables(self) -> Iterator[tuple[str, TableFacts]]:
        """The tables that no class maps."""
        taken = set()
        for key, facts in self.classes.items():
            inner = self._inner_table(key, facts) or self._imperative_table(key)
            if inner is not None:
                taken.add(id(inner))
        for path, file in self.names.files.items():
            yield from ((path, t) for t in file.tables if id(t) not in taken)

    def _table(self, path: str, table: TableFacts) -> MappedClass:
        return MappedClass(
            table.variable,
            self.names.module(path),
            path,
            table.line,
            table.table,
            table.schema,
            tuple(c.column for c in table.columns),
            unique_keys=table.unique_keys,
            complete=table.readable and all(c.readable for c in table.columns),
            is_table=True,
        )

    def _with_listeners(self, models: list[MappedClass]) -> list[MappedClass]:
        """The models with the events that listeners of the project watch on them."""
        watched: dict[Key, list[str]] = {}
        below: dict[Key, list[str]] = {}
        for path, facts in self.names.files.items():
            for listener in facts.listeners:
                place = self.names.place(path, listener.target)
                name = place.name.partition(".")[0]
                watched.setdefault((place.path, name), []).append(listener.event)
                if listener.propagate:
                    below.setdefault((place.path, name), []).append(listener.event)
        return [self._watched(m, watched, below) for m in models]

    def _watched(self, model: MappedClass, watched: dict[Key, list[str]], below: dict[Key, list[str]]) -> MappedClass:
        key = (model.path, model.name)
        events = list(watched.get(key, []))
        if key in self.classes:
            events += [e for a in self.ancestors(key) for e in below.get(a, [])]
        return replace(model, hooks=tuple(dict.fromkeys((*model.hooks, *events)))) if events else model

    def _foreign_keys(self, model: MappedClass) -> MappedClass:
        """Foreign keys written as `Class.attribute` become `table.column`."""
        columns = tuple(self._foreign_key(model, c) for c in model.columns)
        return replace(model, columns=columns) if columns != model.columns else model

    def _foreign_key(self, model: MappedClass, column: MappedColumn) -> MappedColumn:
        owner, _, attr = column.foreign_key.rpartition(".")
        target = self.base_key(model.path, owner) if owner and owner[:1].isupper() else None
        if target is None:
            return column
        lineage = self._lineage(target)
        table = self._table_name(target, lineage)
        names = {c.column.attr: c.column.name for _, f in lineage for c in f.columns}
        return replace(column, foreign_key=f"{table}.{names.get(attr, attr)}") if table else column


def _without_shared_tables(models: list[MappedClass]) -> list[MappedClass]:
    """The models, those of a single-table hierarchy marked incomplete where a subclass adds columns to the table."""
    added: dict[tuple[str, str], set[str]] = {}
    for model in models:
        if model.inherits_mapped:
            added.setdefault((model.schema, model.table), set()).update(c.name for c in model.columns)
    return [
        replace(m, complete=False)
        if not m.inherits_mapped and added.get((m.schema, m.table), set()) - {c.name for c in m.columns}
        else m
        for m in models
    ]


def snake(name: str) -> str:
    """Flask-SQLAlchemy's table name for a class: `CamelCase` becomes `camel_case`, `HTTPLog` becomes `http_log`."""
    return re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"_\1", name).lower().lstrip("_")


def _by_rule(name: str, rule: str) -> str:
    """The table name that an expression over `cls.__name__` makes; empty where it uses what is not read."""
    try:
        return _evaluate(ast.parse(rule, mode="eval").body, name)
    except (ValueError, SyntaxError, re.error):
        return ""


def _evaluate(node: ast.expr, name: str) -> str:
    """Only what table names are made with: literals, the class's name, `+`, f-strings, `lower()`, `re.sub(...)`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(value=ast.Name(id="cls"), attr="__name__"):
            return name
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluate(left, name) + _evaluate(right, name)
        case ast.JoinedStr(values=values):
            return "".join(_evaluate(v, name) for v in values)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _evaluate(value, name)
        case ast.Call(func=ast.Attribute(value=value, attr="lower" | "upper" | "replace" as method), args=args):
            if not (isinstance(value, ast.Name) and value.id == "re"):
                return str(getattr(_evaluate(value, name), method)(*(_evaluate(a, name) for a in args)))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="sub"), args=[pattern, to, text]):
            return re.sub(_evaluate(pattern, name), _evaluate(to, name), _evaluate(text, name))
    msg = "not an expression that makes a table name"
    raise ValueError(msg)


def _with_foreign_keys(
    columns: dict[str, MappedColumn | None], targets: dict[str, str]
) -> dict[str, MappedColumn | None]:
    """The columns with what a `ForeignKeyConstraint` of the table says of them."""
    return {
        attr: replace(c, foreign_key=targets[c.name]) if c is not None and c.name in targets else c
        for attr, c in columns.items()
    }


def _attrs_to_names(
    keys: list[tuple[str, ...]], columns: dict[str, MappedColumn | None]
) -> tuple[tuple[str, ...], ...]:
    """Unique keys name columns; an Index in a class body may name attributes."""
    renamed = {attr: c.name for attr, c in columns.items() if c is not None}
    return tuple(dict.fromkeys(tuple(renamed.get(n, n) for n in key) for key in keys))

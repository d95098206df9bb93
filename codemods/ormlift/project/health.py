"""Whether the mappers of a project can be configured: SQLAlchemy configures all of them or none.

The faults are found among the linked models. Whatever could not be read (a base from a library, a column made by a
helper, a table that is reflected) is taken to be as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from ormlift.model import Severity
from ormlift.project.columns import last
from ormlift.project.graph import ImportGraph
from ormlift.project.mapping import ModelLinker, snake
from ormlift.project.mentions import ANY, Asked, Mentions
from ormlift.project.names import is_test_path
from ormlift.schema import MappedClass, MappedColumn, Relationship

_ENTRIES = frozenset({"scripts", "migrations", "alembic", "versions", "tools", "bin", "examples", "docs", "notebooks"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a mapper, and where it is written."""

    path: str
    line: int
    owner: str  # the class, or the variable that holds a table
    attr: str  # the relationship or column; empty: the class itself
    code: str
    severity: Severity
    message: str
    subject: str = ""  # the text that is wrong, as written
    near: str = ""  # the text that is probably meant
    class_missing: str = ""  # the class that must be mentioned nowhere for this to hold
    table_missing: str = ""
    unimported: bool = False  # holds only where no module is imported by a computed name


@dataclass(frozen=True)
class Health:
    """The questions, over all models."""

    linker: ModelLinker
    models: tuple[MappedClass, ...]
    graph: ImportGraph
    mentions: Mentions | None = None  # None: the text of the files was not searched

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All faults that no mention speaks against."""
        return tuple(f for f in self.suspected if self._holds(f))

    @cached_property
    def suspected(self) -> tuple[Finding, ...]:
        """All faults, as far as the models tell."""
        found = [f for m in self._own for r in m.relationships if not r.inherited for f in self._relationship(m, r)]
        found += [f for m in self.models for f in self._foreign_keys(m) if not is_test_path(m.path)]
        found += [*self._doubled(), *self._unimported()]
        return tuple(dict.fromkeys(found))

    def asked(self) -> Asked:
        """What must be looked for in the text of all files to know which faults hold, and what they touch."""
        found = self.suspected
        attributes = {f.attr for f in found if f.code in ("unknown-class", "no-foreign-key")}
        return Asked(
            frozenset(f.class_missing for f in found if f.class_missing),
            frozenset(f.table_missing for f in found if f.table_missing),
            frozenset(attributes),
            any(f.unimported for f in found),
        )

    def _holds(self, finding: Finding) -> bool:
        if self.mentions is None:
            return True
        tables = self.mentions.tables
        return not (
            finding.class_missing in self.mentions.classes
            or (finding.table_missing and (finding.table_missing in tables or ANY in tables))
            or (finding.unimported and self.mentions.dynamic)
        )

    # Classes by name

    @cached_property
    def _own(self) -> list[MappedClass]:
        return [m for m in self.models if not m.is_table and not is_test_path(m.path)]

    @cached_property
    def _by_name(self) -> dict[str, list[MappedClass]]:
        found: dict[str, list[MappedClass]] = {}
        for model in self.models:
            if not model.is_table:
                found.setdefault(model.name, []).append(model)
        return found

    @cached_property
    def _defined(self) -> frozenset[str]:
        """The names of all classes of the project, mapped or not."""
        return frozenset(name for _, name in self.linker.classes)

    def _named(self, model: MappedClass, name: str) -> list[MappedClass]:
        """The classes that a name in quotes may mean, seen from a class: those of its registry."""
        found = self._by_name.get(last(name), [])
        return [m for m in found if not m.registry or not model.registry or m.registry == model.registry]

    def _target(self, model: MappedClass, relation: Relationship) -> MappedClass | None:
        """The one class that a relationship leads to; None where it is not known."""
        if relation.by_name:
            found = self._named(model, relation.target)
            return found[0] if len(found) == 1 else None
        key = self.linker.base_key(model.path, relation.target) if relation.target else None
        fits = [m for m in self._by_name.get(key[1], []) if m.path == key[0]] if key is not None else []
        return fits[0] if len(fits) == 1 else None

    # Relationships

    def _relationship(self, model: MappedClass, relation: Relationship) -> Iterator[Finding]:
        if relation.by_name and not self._by_name.get(last(relation.target)):
            if last(relation.target) not in self._defined:
                yield self._unknown_class(model, relation)
            return
        target = self._target(model, relation)
        if target is None or relation.unread:
            return
        fault = self._other_side(model, relation, target) or self._backref(model, relation, target)
        fault = fault or self._way(model, relation, target)
        if fault is not None:
            yield fault

    def _unknown_class(self, model: MappedClass, relation: Relationship) -> Finding:
        name = last(relation.target)
        near, why = self._near_class(model, relation)
        hint = f"; did you mean {near}{why}?" if near else ""
        message = f"no mapped class is named '{name}', so no mapper of the project can be configured{hint}"
        sure = near if not why or "back to" in why else ""
        return self._finding(
            model, relation, "unknown-class", message, subject=relation.target, near=sure, class_missing=name
        )

    def _near_class(self, model: MappedClass, relation: Relationship) -> tuple[str, str]:
        """The class that was probably meant, and what speaks for it beside its name."""
        others = [m for m in self._own if m.registry == model.registry and m is not model]
        for other in others:
            for back in other.relationships:
                if back.back_populates == relation.attr and last(back.target) == model.name:
                    return other.name, f" ({other.name}.{back.attr} leads back to {relation.attr})"
        names = {m.name for m in (*others, model)}
        close = get_close_matches(last(relation.target), sorted(names), n=1, cutoff=0.8)
        if close:
            return close[0], ""
        taken = {last(r.target) for r in model.relationships}
        names = {f"{relation.back_populates or snake(model.name)}_id", f"{snake(model.name)}_id"}
        pointing = [
            m.name
            for m in others
            if m.name not in taken
            and any(_table_of(c.foreign_key) == model.table or c.name in names for c in m.columns)
        ]
        best = get_close_matches(last(relation.target), pointing, n=2, cutoff=0.2)
        return (" or ".join(best), f", which may belong to {model.table}") if best else ("", "")

    def _other_side(self, model: MappedClass, relation: Relationship, target: MappedClass) -> Finding | None:
        name = relation.back_populates
        if not name:
            return None
        back = next((r for r in target.relationships if r.attr == name), None)
        if back is None:
            return self._missing_side(model, relation, target)
        if target is model and relation.attr < back.attr:
            return self._same_direction(model, relation, back)
        other = self._target(target, back)
        if other is None or other is model or model.inherits_mapped or other.inherits_mapped or back.inherited:
            return None
        message = (
            f"back_populates names {target.name}.{name}, which leads to {other.name} and not to {model.name}: "
            "ArgumentError when the mappers are configured"
        )
        return self._finding(model, relation, "back-populates-mismatch", message)

    def _same_direction(self, model: MappedClass, relation: Relationship, back: Relationship) -> Finding | None:
        """Both sides of a class's relationship to itself, and neither says which of them is the parent."""
        both = (relation, back)
        if any(r.remote_side or r.joined or r.secondary or r.unread or r.inherited for r in both):
            return None
        if not model.complete or back.back_populates != relation.attr:
            return None
        message = (
            f"{relation.attr} and {back.attr} lead to {model.name} itself in one direction: ArgumentError when the "
            "mappers are configured; the one to the parent needs remote_side=[its primary key]"
        )
        return self._finding(model, relation, "same-direction", message)

    def _missing_side(self, model: MappedClass, relation: Relationship, target: MappedClass) -> Finding | None:
        name = relation.back_populates
        if not target.complete or name in self._backrefs(target):
            return None
        if target.inherits_mapped or self._is_base(target):
            return None
        backs = [r for r in target.relationships if self._target(target, r) is model]
        near = get_close_matches(name, [r.attr for r in backs], n=1, cutoff=0.7)
        near = near or ([backs[0].attr] if len(backs) == 1 and backs[0].back_populates == relation.attr else [])
        hint = f"; did you mean {target.name}.{near[0]}?" if near else ""
        is_other = name in {c.attr for c in target.columns} | set(target.methods) | set(target.hybrids)
        what = f"{target.name}.{name} is no relationship" if is_other else f"{target.name} has no attribute '{name}'"
        message = f"{what}, which back_populates names: no mapper of the project can be configured{hint}"
        return self._finding(
            model, relation, "back-populates-missing", message, subject=name, near=near[0] if near else ""
        )

    def _is_base(self, model: MappedClass) -> bool:
        """Whether other mapped classes inherit from it, so that what leads to it may be written below."""
        return any(m.inherits_mapped and m.table == model.table and m is not model for m in self.models)

    def _backrefs(self, target: MappedClass) -> set[str]:
        """The attributes that relationships of other classes add to a class."""
        pairs = [(m, r) for m in self.models for r in m.relationships if r.backref or r.unread]
        if any(r.unread and last(r.target) == target.name for _, r in pairs):
            return {r.back_populates for m in self.models for r in m.relationships}
        return {r.backref for m, r in pairs if last(r.target) == target.name or self._target(m, r) is target}

    def _backref(self, model: MappedClass, relation: Relationship, target: MappedClass) -> Finding | None:
        known = {r.attr for r in target.relationships if not r.inherited} | {c.attr for c in target.columns}
        if not relation.backref or relation.backref not in known:
            return None
        message = (
            f"backref '{relation.backref}' makes an attribute that {target.name} writes itself: ArgumentError when the "
            "mappers are configured; use back_populates on both"
        )
        return self._finding(model, relation, "backref-exists", message)

    # The way from table to table

    def _way(self, model: MappedClass, relation: Relationship, target: MappedClass) -> Finding | None:
        known = model.complete and target.complete and not (model.inherits_mapped or target.inherits_mapped)
        if relation.joined or not known or model.hooks.count("mapper_args"):
            return None
        if relation.secondary:
            return self._second_way(model, relation, target)
        keys = {(m.name, c.name) for m, c in _keys(model, target)} | {(m.name, c.name) for m, c in _keys(target, model)}
        composite = model.composite_keys or target.composite_keys
        if not keys and not composite and not any(map(self._leads_anywhere, (model, target))):
            message = (
                f"no foreign key leads from {model.table} to {target.table} or back: NoForeignKeysError, so no mapper "
                "of the project can be configured"
            )
            return self._finding(model, relation, "no-foreign-key", message)
        if len(keys) < 2 or composite or relation.foreign_keys:
            return None
        named = ", ".join(sorted(f"{owner}.{column}" for owner, column in keys))
        message = (
            f"{len(keys)} foreign keys join {model.table} and {target.table} ({named}), and foreign_keys does not say "
            "which: AmbiguousForeignKeysError, so no mapper of the project can be configured"
        )
        return self._finding(model, relation, "ambiguous-foreign-keys", message)

    def _second_way(self, model: MappedClass, relation: Relationship, target: MappedClass) -> Finding | None:
        table = self._association(model, relation.secondary)
        if table is None or not table.complete or relation.foreign_keys:
            return None
        sides = [len(list(_keys(table, side))) for side in (model, target)]
        if 0 not in sides or self._leads_anywhere(table):
            return None
        to = (model if sides[0] == 0 else target).table
        message = f"no foreign key leads from the association table {table.table} to {to}: NoForeignKeysError"
        return self._finding(model, relation, "no-foreign-key", f"{message}, so no mapper can be configured")

    def _leads_anywhere(self, model: MappedClass) -> bool:
        """Whether a foreign key is an expression that was not resolved, so that it may lead to any table."""
        written = [c.foreign_key for c in model.columns if c.foreign_key]
        return any(
            not _is_written_out(key) or (key[:1].isupper() and _table_of(key).lower() not in self._tables)
            for key in written
        )

    def _association(self, model: MappedClass, secondary: str) -> MappedClass | None:
        if secondary.startswith(("'", '"')):
            fits = [m for m in self.models if m.table == secondary.strip("'\"").rpartition(".")[2]]
            return fits[0] if len(fits) == 1 else None
        place = self.linker.names.place(model.path, secondary.removesuffix(".__table__"))
        fits = [m for m in self.models if (m.path, m.name) == (place.path, place.name)]
        return fits[0] if len(fits) == 1 else None

    # Foreign keys

    @cached_property
    def _tables(self) -> dict[str, list[MappedClass]]:
        found: dict[str, list[MappedClass]] = {}
        for model in self.models:
            found.setdefault(model.table.lower(), []).append(model)
        return found

    @cached_property
    def _all_named(self) -> bool:
        """Whether the table of every class that has one is known by name."""
        linker = self.linker
        mapped = {(m.path, m.name) for m in self.models}
        return not any(
            key not in mapped and facts.columns and not facts.abstract and not facts.declarative
            and (facts.table_rule or facts.table_variable)
            for key, facts in linker.classes.items()
        )  # fmt: skip

    def _foreign_keys(self, model: MappedClass) -> Iterator[Finding]:
        for column in model.columns:
            own = model.is_table or column.attr in model.own_columns
            if own and _is_written_out(column.foreign_key):
                yield from self._foreign_key(model, column)

    def _foreign_key(self, model: MappedClass, column: MappedColumn) -> Iterator[Finding]:
        written = column.foreign_key
        table, name = _table_of(written), last(written)
        owners = self._tables.get(table.lower(), [])
        if not owners:
            if self._all_named:
                yield self._unknown_table(model, column, table)
            return
        if any(not m.complete or m.column(name) is not None or m.inherits_mapped for m in owners):
            return
        near = get_close_matches(name, [c.name for m in owners for c in m.columns], n=1, cutoff=0.7)
        fixed = f"{written.rpartition('.')[0]}.{near[0]}" if near else ""
        hint = f"; did you mean '{fixed}'?" if near else ""
        message = f"table {table} has no column '{name}': NoReferencedColumnError when the tables are joined or created"
        yield self._of_column(model, column, "unknown-column", message + hint, near=fixed)

    def _unknown_table(self, model: MappedClass, column: MappedColumn, table: str) -> Finding:
        known = {m.table for m in self.models if not is_test_path(m.path)}
        near = get_close_matches(table, known, n=1, cutoff=0.8)
        named = self._by_name.get(table, [])
        near = near or ([named[0].table] if len(named) == 1 else [])
        meant = self._tables.get(near[0].lower(), []) if near else []
        near = near if any(m.column(last(column.foreign_key)) for m in meant) else []
        fixed = ".".join([*column.foreign_key.split(".")[:-2], near[0], last(column.foreign_key)]) if near else ""
        hint = f"; did you mean '{fixed}'?" if near else ""
        message = f"no model has the table '{table}': NoReferencedTableError when the tables are created or written to"
        return self._of_column(model, column, "unknown-table", message + hint, near=fixed, table_missing=table)

    # Classes and modules

    def _doubled(self) -> Iterator[Finding]:
        for name, models in self._by_name.items():
            own = [m for m in models if m.registry and not is_test_path(m.path)]
            for model in own:
                first = next(m for m in own if m.registry == model.registry)
                if first.path == model.path:
                    continue
                asks = next((m for m in self._own for r in m.relationships if _asks(m, r, model)), None)
                where = f"{first.path}:{first.line}"
                message = f"{where} maps a class '{name}' on the same base: "
                if first.table == model.table and first.schema == model.schema:
                    message += f"table '{model.table}' is defined twice, and importing both raises InvalidRequestError"
                else:
                    message += "a relationship that names it is ambiguous"
                    message += f", and {asks.name} names it" if asks is not None else ""
                severity = Severity.HIGH if asks is not None or first.table == model.table else Severity.MEDIUM
                yield Finding(model.path, model.line, name, "", "two-classes", severity, message)

    def _unimported(self) -> Iterator[Finding]:
        if not self.graph.files:
            return
        suspects = [m for m in self._own if m.path in self.graph.files and _is_module(m.path)]
        loose = {m.path for m in suspects} - self.graph.asked_for if suspects else set()
        for path in sorted(loose):
            inside = [m for m in suspects if m.path == path]
            asks = self._asked_from_outside(inside)
            if asks is None:
                continue
            model, who = asks
            message = (
                f"nothing imports this module, and {who} needs {model.name}: it is found only if the module happens to "
                "be imported before the mappers are configured"
            )
            yield Finding(
                path, model.line, model.name, "", "never-imported", Severity.HIGH, message, unimported=True
            )  # fmt: skip

    def _asked_from_outside(self, inside: Sequence[MappedClass]) -> tuple[MappedClass, str] | None:
        for other in self._own:
            if other.path == inside[0].path or other.path not in self.graph.asked_for:
                continue
            for relation in other.relationships:
                for model in inside:
                    if relation.by_name and self._target(other, relation) is model:
                        return model, f"{other.name}.{relation.attr} ({other.path}:{relation.line})"
        return None

    def _finding(
        self,
        model: MappedClass,
        relation: Relationship,
        code: str,
        message: str,
        *,
        subject: str = "",
        near: str = "",
        class_missing: str = "",
    ) -> Finding:
        return Finding(
            model.path,
            relation.line,
            model.name,
            relation.attr,
            code,
            Severity.CRITICAL,
            message,
            subject,
            near,
            class_missing,
        )

    def _of_column(
        self, model: MappedClass, column: MappedColumn, code: str, message: str, *, near: str, table_missing: str = ""
    ) -> Finding:
        return Finding(
            model.path,
            column.line,
            model.name,
            column.attr,
            code,
            Severity.CRITICAL,
            message,
            column.foreign_key,
            near,
            table_missing=table_missing,
        )


def _keys(model: MappedClass, target: MappedClass) -> Iterator[tuple[MappedClass, MappedColumn]]:
    """The columns of a table that refer to another."""
    for column in model.columns:
        if _table_of(column.foreign_key).lower() == target.table.lower():
            yield model, column


def _table_of(foreign_key: str) -> str:
    return last(foreign_key.rpartition(".")[0])


def _is_written_out(foreign_key: str) -> bool:
    """Whether a foreign key is read as `table.column`, not as an expression that was not resolved."""
    parts = foreign_key.split(".")
    return len(parts) in (2, 3) and all(parts) and "c" not in parts[:-1] and "__table__" not in parts


def _asks(model: MappedClass, relation: Relationship, target: MappedClass) -> bool:
    """Whether a relationship names the class by its bare name."""
    return relation.by_name and relation.target == target.name and model.registry == target.registry


def _is_module(path: str) -> bool:
    *folders, name = path.split("/")
    return not _ENTRIES & set(folders) and name not in (
        "__init__.py",
        "env.py",
        "app.py",
        "main.py",
        "manage.py",
        "wsgi.py",
    )

"""What reaches into JSON and arrays, and matches by regular expressions, on PostgreSQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ormlift.sql.binding import Use
from ormlift.sql.layout import COMPARE, Atom, Chain, Infix, Items, Node, Pair, call, method
from ormlift.sql.operands import Operands, Value, construct, operand, quoted, slot_of, source_of
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.scope import ColumnRef

_PATH = re.compile(r"\{\s*\w+(?:\s*,\s*\w+)*\s*\}")


def json_keys(tree: exp.Expr) -> tuple[str | int, ...]:
    """The keys that `->`, `->>`, `#>` and `#>>` with a literal go down; none where they are no plain ones."""
    from sqlglot import exp

    path = tree.args["expression"]
    if isinstance(path, exp.Literal):
        return tuple(re.findall(r"\w+", path.name)) if _PATH.fullmatch(path.name) else ()
    steps = path.expressions if isinstance(path, exp.JSONPath) else []
    if len(steps) != 2 or not isinstance(steps[0], exp.JSONPathRoot):
        return ()
    plain = isinstance(steps[1], exp.JSONPathKey | exp.JSONPathSubscript) and isinstance(steps[1].this, str | int)
    return (steps[1].this,) if plain else ()


class Documents(Operands):
    """Writes paths into JSON, tests of arrays and regular expressions."""

    def special(self, tree: exp.Expr) -> Node:
        """A condition by an operator of PostgreSQL's own."""
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.RegexpLike | exp.RegexpILike):
            return self._matched(tree)
        if isinstance(tree, exp.ArrayContainsAll):
            return self._contained(tree)
        if isinstance(tree, exp.JSONBContainsTopKey):
            return self._has_key(tree)
        if isinstance(tree, exp.MatchAgainst) and self.dialect == "postgresql" and len(tree.expressions) == 1:
            return self._found(tree)
        raise unsupported(construct(tree))

    def _path(self, tree: exp.Expr) -> Value:
        """`data -> 'a'` as `Model.data["a"]`, `data ->> 'a'` as its text; a path of several keys as a tuple."""
        keys = json_keys(tree)
        if self.dialect != "postgresql" or not keys:
            raise unsupported(construct(tree))
        inner, root = self.value(tree.this), self._root(tree)
        kind = inner.kind if inner.ref is not None else "json" if root is not None else ""
        if root is None or kind not in ("json", "unknown") or inner.is_python:
            raise unsupported("A JSON path into what is no JSON column")
        said = ", ".join(quoted(key) if isinstance(key, str) else str(key) for key in keys)
        several = type(tree).__name__.startswith("JSONB")
        said = f"({said}{',' if len(keys) == 1 else ''})" if several else said
        base = inner.node
        if kind == "unknown":
            base = call(self.names.sa("type_coerce"), base, Atom(self.names.sa("JSON")))
        node = Atom(f"{source_of(base)}[{said}]")
        if "Scalar" not in type(tree).__name__:
            return Value(node, "json", computed=True)
        if root.column.type == "JSONB":
            return Value(Atom(f"{node.text}.astext"), "str")
        return Value(method(node, "as_string"), "str")

    def _root(self, tree: exp.Expr) -> ColumnRef | None:
        """The column that a path begins at."""
        from sqlglot import exp

        while isinstance(tree, exp.JSONExtract | exp.JSONExtractScalar | exp.JSONBExtract | exp.JSONBExtractScalar):
            tree = tree.this.unnest()
        return self.scope.find(tree) if isinstance(tree, exp.Column) else None

    def _document(self, tree: exp.Cast) -> Value:
        """A cast to JSON; text is bound as text, which the type of what it is cast to would encode again."""
        said = tree.args["to"].sql().upper()
        inner = self.value(tree.this)
        if inner.is_python:
            return Value(self.binder.document(inner.node, said), "json", computed=True)
        return Value(
            call(self.names.sa("cast"), inner.node, Atom(self.binder.document_type(said))), "json", computed=True
        )

    def _matched(self, tree: exp.Expr) -> Node:
        """`a ~ 'x'` as `Model.a.regexp_match("x")`."""
        from sqlglot import exp

        if self.dialect != "postgresql" or tree.args.get("flag"):
            raise unsupported(construct(tree))
        self.names.since("1.4", "A regular expression")
        first = self.value(tree.this)
        if first.is_python or first.kind not in ("", "str"):
            raise unsupported("A regular expression for what is no text")
        extra = [Pair("flags", "=", Atom('"i"'))] if isinstance(tree, exp.RegexpILike) else []
        return method(first.node, "regexp_match", self.against(tree.args["expression"], first, Use.PLAIN), *extra)

    def _found(self, tree: exp.MatchAgainst) -> Node:
        """`words @@ to_tsquery('a')` as `Model.words.bool_op("@@")(func.to_tsquery("a"))`; sqlglot turns the sides."""
        subject, query = self.value(tree.expressions[0]), self.value(tree.this)
        if subject.is_python or query.is_python or tree.args.get("modifier"):
            raise unsupported("`@@` with what is neither column nor function")
        head = method(subject.node, "bool_op", Atom('"@@"'))
        called = Items(source_of(head.links[-1]), "(", (query.node,), ")")
        return Chain(head.base, (*head.links[:-1], called), head.split)

    def _contained(self, tree: exp.Expr) -> Node:
        """`data @> '{..}'` as `Model.data.contains(cast(literal("{..}", String), JSONB))`."""
        from sqlglot import exp

        first, other = self.value(tree.this), tree.args["expression"].unnest()
        if isinstance(other, exp.Cast) and other.args["to"].sql().upper() == "JSONB":
            other = other.this.unnest()
        if first.ref is None or first.ref.column.type != "JSONB":
            raise unsupported("`@>` of what is no JSONB column")
        if isinstance(other, exp.Literal) and other.is_string:
            text: Node = Atom(quoted(other.name))
        elif isinstance(other, exp.Placeholder):
            text = self.binder.slot(slot_of(other), None, "", Use.PLAIN)
        else:
            raise unsupported("`@>` with what is no text")
        return method(first.node, "contains", self.binder.document(text, "JSONB"))

    def _has_key(self, tree: exp.Expr) -> Node:
        from sqlglot import exp

        first, key = self.value(tree.this), tree.args["expression"].unnest()
        if first.ref is None or first.ref.column.type != "JSONB" or not isinstance(key, exp.Literal):
            raise unsupported("`?` of what is no JSONB column")
        return method(first.node, "has_key", Atom(quoted(key.name)))

    def _member(self, left: exp.Expr, op: str, right: exp.Expr) -> Node:
        """`:x = ANY(tags)` as `literal(x) == any_(Model.tags)`."""
        from sqlglot import exp

        inner = right.this.unnest()
        column = inner.this.unnest() if isinstance(inner, exp.Cast) else inner
        if self.dialect != "postgresql" or not isinstance(column, exp.Column):
            raise unsupported(f"A comparison with {construct(right).lower()}")
        name = "any_" if isinstance(right, exp.Any) else "all_"
        return Infix(operand(self.element(left)), op, call(self.names.sa(name), self.value(inner).node), COMPARE)

    def against(self, tree: exp.Expr, other: Value, use: Use) -> Node:
        """An operand as it is written against another."""
        raise NotImplementedError

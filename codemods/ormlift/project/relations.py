"""Reads one `relationship(...)`: what it leads to, and by which of its arguments it finds the way."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ormlift.project.columns import called, last, unquoted
from ormlift.schema import Relationship
from ormlift.syntax import dotted

_JOINS = ("primaryjoin", "secondaryjoin")
_HOLDERS = frozenset({"Mapped", "WriteOnlyMapped", "DynamicMapped", "Optional", "Union", "Annotated", "None"})
_HOLDERS |= {"List", "Set", "Tuple", "Dict", "Sequence", "Collection", "Iterable", "KeyFuncDict"}
_HOLDERS |= {"list", "set", "tuple", "dict"}


def read_relationship(
    attr: str, call: ast.Call, annotation: ast.expr | None, imports: Mapping[str, str]
) -> Relationship:
    """The relationship that `attr: annotation = relationship(...)` makes; also SQLModel's `Relationship(...)`."""
    options = {k.arg: k.value for k in call.keywords if k.arg}
    unread = len(options) < len(call.keywords) or any(isinstance(a, ast.Starred) for a in call.args)
    more = options.get("sa_relationship_kwargs")
    if isinstance(more, ast.Dict) and all(isinstance(k, ast.Constant) for k in more.keys):
        pairs = zip(more.keys, more.values, strict=True)
        options |= {str(k.value): v for k, v in pairs if isinstance(k, ast.Constant)}
    elif more is not None:
        unread = True
    inner = options.get("sa_relationship")
    if isinstance(inner, ast.Call):
        return read_relationship(attr, inner, annotation, imports)
    target, by_name = _target(call.args[0] if call.args else options.get("argument"), annotation)
    second = options.get("secondary", options.get("link_model"))
    return Relationship(
        attr,
        target,
        (annotation or call).lineno,
        by_name,
        _text(options.get("back_populates")),
        _backref(options.get("backref"), imports),
        _second(second),
        joined=any(name in options for name in _JOINS),
        foreign_keys="foreign_keys" in options,
        remote_side="remote_side" in options,
        unread=unread or (second is not None and not _second(second)),
        lazy=_lazy(options.get("lazy")),
        backref_lazy=_backref_lazy(options.get("backref"), imports),
    )


def _target(argument: ast.expr | None, annotation: ast.expr | None) -> tuple[str, bool]:
    """The name of the class, and whether it is looked up by name; empty where it is not one name."""
    if isinstance(argument, ast.Lambda):
        argument = argument.body
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        text = argument.value.strip()
        return (text, True) if all(part.isidentifier() for part in text.split(".")) else ("", False)
    if argument is not None:
        return dotted(argument), False
    names = dict.fromkeys(_annotated(annotation)) if annotation is not None else {}
    return next(iter(names)) if len(names) == 1 else ("", False)


def _annotated(node: ast.expr) -> Iterator[tuple[str, bool]]:
    """The names in `Mapped[List["Child"]]` that are no containers; one in quotes is looked up by name."""
    quoted = isinstance(node, ast.Constant)
    node = unquoted(node)
    if isinstance(node, ast.Name | ast.Attribute):
        name = dotted(node)
        if last(name) not in _HOLDERS:
            yield name, quoted
    elif not isinstance(node, ast.Constant):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from ((name, by or quoted) for name, by in _annotated(child))


def _backref(node: ast.expr | None, imports: Mapping[str, str]) -> str:
    if isinstance(node, ast.Call) and called(node, imports) == "backref" and node.args:
        return _text(node.args[0])
    return _text(node)


def _backref_lazy(node: ast.expr | None, imports: Mapping[str, str]) -> str:
    if not isinstance(node, ast.Call) or called(node, imports) != "backref":
        return ""
    return _lazy(next((k.value for k in node.keywords if k.arg == "lazy"), None))


def _second(node: ast.expr | None) -> str:
    """A table as it is named: `'tags'` in quotes for a table's name, else a dotted name."""
    if isinstance(node, ast.Lambda):
        node = node.body
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return repr(node.value)
    return dotted(node) if node is not None else ""


def _lazy(node: ast.expr | None) -> str:
    return "" if node is None else _text(node) or ast.unparse(node)


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

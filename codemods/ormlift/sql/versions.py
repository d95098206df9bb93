"""What SQLAlchemy has from which version on: older ones lack it, or make something else of it."""

from __future__ import annotations

from dataclasses import replace

from ormlift.sql.layout import Atom, Chain, Infix, Items, Node, Pair, Prefix

# Of what a project below 1.4 has, this is written there; `select`, `insert` and the like took other arguments.
_BELOW_1_4 = frozenset({
    "and_", "or_", "not_", "func", "literal", "null", "true", "false", "cast", "type_coerce", "desc", "extract",
    "Integer", "BigInteger", "SmallInteger", "String", "Text", "CHAR", "Float", "REAL", "Numeric",
    "Date", "DateTime", "Time", "Boolean", "Interval",
})  # fmt: skip
# What methods were called before 1.4 gave them these names.
_FORMER = {
    "is_not": "isnot", "not_in": "notin_", "not_like": "notlike", "not_ilike": "notilike",
    "nulls_first": "nullsfirst", "nulls_last": "nullslast", "is_not_distinct_from": "isnot_distinct_from",
}  # fmt: skip
# Names of `sqlalchemy` that we write, and the version that brought them; all others 1.4 has.
SINCE = {"Double": "2.0", "UUID": "2.0", "Uuid": "2.0"}


def older(version: str, than: str) -> bool:
    """Whether a version is older than another; one that is not known is the newest."""
    return bool(version) and _number(version) < _number(than)


def lacks(version: str, name: str) -> bool:
    """Whether that version has no such name of `sqlalchemy`, or one that takes other arguments."""
    if older(version, "1.4"):
        return name not in _BELOW_1_4
    return name in SINCE and older(version, SINCE[name])


def named_as_then(node: Node, version: str) -> Node:
    """The node with the names that methods bore in that version."""
    return _former(node) if older(version, "1.4") else node


def _former(node: Node) -> Node:
    match node:
        case Infix():
            return replace(node, left=_former(node.left), right=_former(node.right))
        case Prefix():
            return replace(node, part=_former(node.part))
        case Pair():
            return replace(node, value=_former(node.value))
        case Items():
            return replace(node, items=tuple(_former(item) for item in node.items))
        case Chain():
            return replace(node, base=_former(node.base), links=tuple(_link(link) for link in node.links))
    return node


def _link(link: Items | Atom) -> Items | Atom:
    if isinstance(link, Atom):
        return link
    return replace(link, head=_FORMER.get(link.head, link.head), items=tuple(_former(item) for item in link.items))


def refusal(version: str, construct: str, since: str) -> tuple[str, str]:
    """The code and message for what that version does not have."""
    way = "upgrade it, or say with `sqlalchemy` in the configuration which it is"
    return "sqlalchemy-version", f"{construct} needs SQLAlchemy {since}, and the project is on {version}; {way}."


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

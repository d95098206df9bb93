"""Functions that SQLAlchemy calls when something happens, and what its events hand them.

@event.listens_for(User, "after_insert")
def count_users(mapper, connection, target):  # the Connection that the flush writes on, and the instance
    connection.execute("UPDATE totals SET users = users + 1")
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ormlift.syntax import FunctionNode, Module, dotted

_MAPPER = ("mapper", "connection", "target")
_LIFECYCLE = ("session", "instance")
# By event, what listeners are called with: the names that SQLAlchemy documents, in their order. Events of pools and
# dialects (`connect`, `checkout`) hand in a connection of the driver, and are not among them.
HANDED: Mapping[str, tuple[str, ...]] = {
    **{f"{when}_{what}": _MAPPER for when in ("before", "after") for what in ("insert", "update", "delete")},
    **{f"{when}_{what}": ("target", "connection") for when in ("before", "after") for what in ("create", "drop")},
    "before_flush": ("session", "flush_context", "instances"),
    "after_flush": ("session", "flush_context"),
    "after_flush_postexec": ("session", "flush_context"),
    "before_commit": ("session",),
    "after_commit": ("session",),
    "after_rollback": ("session",),
    "after_soft_rollback": ("session", "previous_transaction"),
    "after_begin": ("session", "transaction", "connection"),
    "after_transaction_create": ("session", "transaction"),
    "after_transaction_end": ("session", "transaction"),
    **dict.fromkeys(("before_attach", "after_attach", "transient_to_pending", "pending_to_transient"), _LIFECYCLE),
    **dict.fromkeys(("pending_to_persistent", "detached_to_persistent", "loaded_as_persistent"), _LIFECYCLE),
    **dict.fromkeys(("persistent_to_transient", "persistent_to_deleted", "persistent_to_detached"), _LIFECYCLE),
    **dict.fromkeys(("deleted_to_persistent", "deleted_to_detached"), _LIFECYCLE),
    "engine_connect": ("connection",),
    "begin": ("connection",),
    "commit": ("connection",),
    "rollback": ("connection",),
    "before_execute": ("connection", "clauseelement", "multiparams", "params"),
    "after_execute": ("connection", "clauseelement", "multiparams", "params"),
    "before_cursor_execute": ("connection", "cursor", "statement", "parameters", "context", "executemany"),
    "after_cursor_execute": ("connection", "cursor", "statement", "parameters", "context", "executemany"),
}
FLUSHING = frozenset({"before_flush", "after_flush", "after_flush_postexec"})  # amid a flush, which begins no other
_PLAIN = frozenset({"staticmethod", "classmethod"})


@dataclass(frozen=True)
class Heard:
    """One event that a function listens for."""

    event: str
    target: ast.expr  # what it happens to, as written
    named: bool = False  # the listener asked to be called by names


def hands(function: FunctionNode, arg: ast.arg, heard: Heard, module: Module) -> str:
    """What an event hands in as a parameter, as `HANDED` calls it; empty where it hands in nothing that is known."""
    names = HANDED.get(heard.event, ())
    if heard.named:
        said = {"conn": "connection"}.get(arg.arg, arg.arg)
        return said if said in names else ""
    place = place_of(function, arg, module)
    return names[place] if 0 <= place < len(names) else ""


def place_of(function: FunctionNode, arg: ast.arg, module: Module) -> int:
    """The position at which a call passes a parameter, without `self`; -1 for what is passed by name only."""
    listed = [*function.args.posonlyargs, *function.args.args]
    bound = module.enclosing_class(function) is not None and not _is_static(function)
    return listed.index(arg) - bound if arg in listed else -1


def _is_static(function: FunctionNode) -> bool:
    return any(dotted(d) == "staticmethod" for d in function.decorator_list)


def heard_by(function: FunctionNode, module: Module) -> list[Heard] | None:
    """The events that a function listens for; None where another decorator may change what it is called with."""
    if "listen" not in module.source.text:
        return []
    found: list[Heard] = []
    for decorator in function.decorator_list:
        said = dotted(decorator)
        if isinstance(decorator, ast.Call) and is_listening(decorator, "listens_for", module):
            found += _registered(decorator, module)
        elif said not in _PLAIN:
            return None
    for call in module.calls:
        if len(call.args) >= 3 and _names(call.args[2], function, module) and is_listening(call, "listen", module):
            found += _registered(call, module)
    return found


def is_listening(call: ast.Call, name: str, module: Module) -> bool:
    """Whether a call is `event.listen(..)` or `event.listens_for(..)` of SQLAlchemy."""
    said = dotted(call.func)
    if said.rpartition(".")[2] != name or len(call.args) < 2:
        return False
    head, _, rest = said.partition(".")
    full = f"{module.imports.get(head, head)}.{rest}" if rest else module.imports.get(head, head)
    return full.startswith(("sqlalchemy", "flask_sqlalchemy")) or f".event.{name}" in full


def _registered(call: ast.Call, module: Module) -> Iterator[Heard]:
    named = any(k.arg == "named" and not _is_false(k.value) for k in call.keywords)
    for event in _events(call.args[1], call, module):
        yield Heard(event, call.args[0], named)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _events(node: ast.expr, call: ast.Call, module: Module) -> list[str]:
    """The event's name; those that a loop around the call goes through. What is not known is an event of no name."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    for loop in module.ancestors(call):
        if isinstance(loop, ast.For) and ast.dump(loop.target) == ast.dump(_stored(node)):
            names = loop.iter.elts if isinstance(loop.iter, ast.Tuple | ast.List | ast.Set) else []
            return [str(n.value) if isinstance(n, ast.Constant) else "" for n in names] or [""]
    return [""]


def _stored(node: ast.expr) -> ast.expr:
    return ast.Name(node.id, ast.Store()) if isinstance(node, ast.Name) else node


def _names(node: ast.expr, function: FunctionNode, module: Module) -> bool:
    """Whether what is registered is the function: by its name, or as a method of the class around it."""
    owner = module.enclosing_class(function)
    if owner is None:
        return isinstance(node, ast.Name) and node.id == function.name
    if not isinstance(node, ast.Attribute) or node.attr != function.name:
        return False
    made = node.value.func if isinstance(node.value, ast.Call) else node.value  # `Listeners().after_insert`
    return dotted(made) in ("self", "cls", owner.name)

"""A session that comes from an object which is handed in: a test may hand in another than the project's own class."""

from __future__ import annotations

import ast

from ormlift.model import Effect
from ormlift.project.escape.choice import Named
from ormlift.project.escape.hooks import Hooks
from ormlift.project.escape.sites import Found
from ormlift.project.flow.values import parameters
from ormlift.project.handles import DEPTH, read_locals
from ormlift.project.index import ProjectIndex
from ormlift.syntax import FunctionNode, Module, dotted, every_node


def given_manager(module: Module, found: Found, named: Named) -> list[Effect]:
    """The effect of no more asking such an object; none where the scope asks it too, or where its class is known."""
    call = found.call.args[0] if found.dependency else found.call
    asked = call.func if isinstance(call, ast.Call) else call
    receiver = dotted(asked.value) if isinstance(asked, ast.Attribute) else ""
    if not found.source.guessed or not receiver or not _is_handed_in(module, call, receiver):
        return []
    if named.call.startswith(f"{receiver}.") or _asks(module, call, named, receiver):
        return []
    taken = f"{found.source.owner or found.source.name} of {found.source.path}"
    text = f"{receiver} is handed in without a type and taken to be {taken}: {named.call} does not ask another for its"
    return [Effect("given-manager", call.lineno, f"{text} session, such as a test's; say its type where it comes in")]


def other_source(module: Module, found: Found, named: Named, index: ProjectIndex) -> list[Effect]:
    """The effect of no more asking a method that a subclass defines anew, or a global that a function binds anew."""
    call = found.call.args[0] if found.dependency else found.call
    name = dotted(call.func) if isinstance(call, ast.Call) else ""
    root, _, rest = name.partition(".")
    owner = module.enclosing_class(call)
    if root in ("self", "cls") and rest and owner is not None and not _asks_method(owner, named, rest):
        if rest.partition(".")[0] in index.overridden.get(owner.name, ()):
            text = f"a class below {owner.name} has its own {rest.partition('.')[0]}, which {named.call} does not ask"
            return [Effect("other-source", call.lineno, f"{text}: the session may be another there")]
    elif root and _bound_anew(module, root):
        asked = Hooks(index)
        asked.add_name(named.call.removesuffix("()"), module, module.enclosing_function(call))
        if named.scope is not None:
            asked.add_definition(named.scope)
        if not any(hook.path == module.source.path and hook.name == root for hook in asked.found):
            text = f"a function binds {root} anew, which {named.call} does not ask"
            return [Effect("other-source", call.lineno, f"{text}: the session may be another then")]
    return []


def _asks_method(owner: ast.ClassDef, named: Named, rest: str) -> bool:
    """Whether the scope is a method of the same object that asks the same method."""
    if not named.call.startswith("self."):
        return False
    name = named.call.removesuffix("()").removeprefix("self.")
    scope = next((s for s in owner.body if isinstance(s, FunctionNode) and s.name == name), None)
    return scope is not None and any(dotted(n) == f"self.{rest}" for n in every_node(scope))


def _bound_anew(module: Module, name: str) -> bool:
    """Whether a global of the file is given more than one value, by a function too; None does not count."""
    if not any(name in node.names for node in module.nodes(ast.Global)):
        return False
    values = set()
    for node in module.nodes(ast.Assign):
        if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            values.add(ast.unparse(node.value))
    return len(values - {"None"}) > 1


def _is_handed_in(module: Module, call: ast.expr, receiver: str) -> bool:
    """Whether an object is a parameter, an attribute of self, or a variable that holds one of them."""
    around = [node for node in module.ancestors(call) if isinstance(node, FunctionNode)]
    known = [read_locals(function) for function in around]
    given = {name for function in around for name in parameters(function)} | {"self", "cls"}
    names = [receiver]
    for _ in range(DEPTH):
        if any(name.partition(".")[0] in given for name in names):
            return True
        heads = {name.partition(".")[0] for name in names}
        values = [value for found in known for head in heads for _, value in found.values.get(head, ())]
        names = [dotted(node) for value in values for node in ast.walk(value)]
    return False


def _asks(module: Module, call: ast.expr, named: Named, receiver: str) -> bool:
    """Whether the scope is a method of the same object that asks the same attribute."""
    owner, name = module.enclosing_class(call), named.call.removesuffix("()").removeprefix("self.")
    if owner is None or not named.call.startswith("self."):
        return False
    scope = next((s for s in owner.body if isinstance(s, FunctionNode) and s.name == name), None)
    return scope is not None and any(isinstance(n, ast.Attribute) and dotted(n) == receiver for n in every_node(scope))

"""The SQL text and the parameters of one `execute(..)`, where the code says them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field

from ormlift.sql.life.flow import Flow
from ormlift.sql.life.model import Life
from ormlift.syntax import FunctionNode, Module, dotted, module_level

_PARAMETERS = ("parameters", "params", "vars", "args")
_DEPTH = 8


@dataclass(frozen=True)
class Text:
    """SQL text, and the local variables that hold nothing but it."""

    value: str
    variables: tuple[ast.Name, ...] = ()  # their definitions


@dataclass(frozen=True)
class Parameters:
    """The parameters passed: by position or by name, each with the source text that gives its value."""

    texts: dict[int | str, str] = field(default_factory=dict)
    nodes: dict[int | str, ast.expr] = field(default_factory=dict)  # the expression behind each, where it is written
    passed: bool = True  # false: the driver gets no parameters at all
    variables: tuple[ast.Name, ...] = ()  # local variables that hold nothing but the parameters, all of them taken over


def sql_text(node: ast.expr, life: Life, depth: int = _DEPTH) -> Text | None:
    """The text that `node` always has, or None."""
    if depth == 0:
        return None
    match node:
        case ast.Constant(value=str(value)):
            return Text(value)
        case ast.JoinedStr(values=values):
            return _joined([_hole(v, life, depth) for v in values])
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _joined([sql_text(left, life, depth - 1), sql_text(right, life, depth - 1)])
        case ast.Name():
            return _named(node, life, depth)
        case ast.Attribute():
            return _class_constant(node, life)
        case ast.Call(func=ast.Attribute(value=inner, attr="strip"), args=[], keywords=[]):
            text = sql_text(inner, life, depth - 1)
            return text and Text(text.value.strip(), text.variables)
        case ast.Call(args=[inner], keywords=[]) if dotted(node.func) in (
            "dedent",
            "textwrap.dedent",
            "inspect.cleandoc",
        ):
            text = sql_text(inner, life, depth - 1)
            return text and Text(inspect.cleandoc(text.value), text.variables)
        case _:
            return None


def _joined(parts: Sequence[Text | None]) -> Text | None:
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    return Text("".join(p.value for p in known), tuple(v for p in known for v in p.variables))


def _hole(node: ast.expr, life: Life, depth: int) -> Text | None:
    if isinstance(node, ast.FormattedValue):
        plain = node.conversion == -1 and node.format_spec is None
        return sql_text(node.value, life, depth - 1) if plain else None
    return sql_text(node, life, depth - 1)


def _named(node: ast.Name, life: Life, depth: int) -> Text | None:
    definitions = life.flow.of(node)
    if definitions:
        value = only_value(definitions, life.module)
        text = sql_text(value, life, depth - 1) if value is not None else None
        (definition,) = definitions if len(definitions) == 1 else (None,)
        if text is None or not isinstance(definition, ast.Name):
            return text
        return Text(text.value, (*text.variables, definition))
    if node.id in life.flow.definitions:
        return None
    return _constant(node.id, module_level(life.module.tree), life)


def only_value(definitions: frozenset[ast.AST], module: Module) -> ast.expr | None:
    """The expression assigned by the one definition that there is."""
    if len(definitions) != 1:
        return None
    (definition,) = definitions
    parent = module.parents.get(definition)
    match parent:
        case ast.Assign(targets=[target], value=value) if target is definition:
            return value
        case ast.AnnAssign(target=target, value=ast.expr() as value) if target is definition:
            return value
        case _:
            return None


def _constant(name: str, statements: object, life: Life) -> Text | None:
    """A constant of a module or class: bound once, and to a literal."""
    assert hasattr(statements, "__iter__")
    values = [s for s in statements if name in _bound(s)]
    if len(values) != 1 or _rebound_elsewhere(name, life.module):
        return None
    (statement,) = values
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    return Text(value.value) if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _bound(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.Assign(targets=targets):
            return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _rebound_elsewhere(name: str, module: Module) -> bool:
    return any(isinstance(n, ast.Global) and name in n.names for n in ast.walk(module.tree))


def _class_constant(node: ast.Attribute, life: Life) -> Text | None:
    owner = dotted(node.value)
    around = life.module.enclosing_class(life.host) if owner in ("self", "cls") else None
    classes = [c for c in life.module.tree.body if isinstance(c, ast.ClassDef) and c.name == owner]
    found = around or (classes[0] if len(classes) == 1 else None)
    if found is None:
        return None
    stores = [
        n
        for n in ast.walk(life.module.tree)
        if isinstance(n, ast.Attribute) and n.attr == node.attr and not isinstance(n.ctx, ast.Load)
    ]
    return None if stores else _constant(node.attr, found.body, life)


# Parameters


def parameters(call: ast.Call, life: Life) -> Parameters | None:
    """The parameters of an `execute(..)`, or None where they are not written one by one."""
    passed = [*call.args[1:], *(k.value for k in call.keywords if k.arg in _PARAMETERS)]
    if not passed:
        return Parameters(passed=False) if len(call.args) == 1 and not call.keywords else None
    if len(passed) > 1 or any(isinstance(a, ast.Starred) for a in passed):
        return None
    node = passed[0]
    if isinstance(node, ast.Constant) and node.value is None:
        return Parameters(passed=False)
    if isinstance(node, ast.Name):
        return _variable(node, call, life)
    return _literal(node, life)


def lone_value(call: ast.Call, life: Life) -> Parameters | None:
    """`execute(sql, (value))`: parentheses around what is no tuple. PyMySQL takes it for the only placeholder."""
    if len(call.args) != 2:
        return None
    node, span = call.args[1], life.module.span(call.args[1])
    before = life.module.lines[span.line - 1][: span.col].rstrip()
    after = life.module.lines[span.end_line - 1][span.end_col :].lstrip()
    if not before.endswith("(") or not after.startswith(")") or life.flow.captured.get(dotted(node)):
        return None
    known = value_facts(node, life).type
    return None if known in ("list", "dict", "tuple") else Parameters({0: life.module.text(node)}, {0: node})


def _literal(node: ast.expr, life: Life) -> Parameters | None:
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            if any(isinstance(e, ast.Starred) for e in elts):
                return None
            nodes: dict[int | str, ast.expr] = dict(enumerate(elts))
        case ast.Dict(keys=keys, values=values):
            if not all(isinstance(k, ast.Constant) and isinstance(k.value, str) for k in keys):
                return None
            nodes = {k.value: v for k, v in zip(keys, values, strict=True) if isinstance(k, ast.Constant)}  # type: ignore[misc]
        case _:
            return None
    return Parameters({key: life.module.text(value) for key, value in nodes.items()}, nodes)


def _variable(name: ast.Name, call: ast.Call, life: Life) -> Parameters | None:
    """Parameters in a local variable: taken over one by one where that reads the same values, else indexed."""
    definitions = life.flow.of(name)
    value = only_value(definitions, life.module)
    literal = _literal(value, life) if value is not None else None
    if value is None or literal is None:
        return None
    (definition,) = definitions
    loads = [n for n, d in _loads(life.flow, name.id) if definition in d]
    executed = [n for n in loads if _is_parameter(n, life.module)]
    if not isinstance(value, ast.Tuple) and len(executed) != len(loads):
        return None
    beside = _next_to(value, call, life.module)
    if beside or all(_is_stable(node, life) for node in literal.nodes.values()):
        whole = (definition,) if isinstance(definition, ast.Name) else ()
        return Parameters(literal.texts, literal.nodes, variables=whole)
    return Parameters({key: f"{name.id}[{key!r}]" for key in literal.texts}, literal.nodes)


def _loads(flow: Flow, name: str) -> list[tuple[ast.Name, frozenset[ast.AST]]]:
    return [(n, d) for (n, key), d in flow.reaching.items() if key == name and isinstance(n, ast.Name)]


def _is_parameter(node: ast.Name, module: Module) -> bool:
    parent = module.parents[node]
    if not isinstance(parent, ast.Call) or node in parent.args[:1]:
        return False
    return isinstance(parent.func, ast.Attribute) and parent.func.attr == "execute"


def _is_stable(node: ast.expr, life: Life) -> bool:
    """Whether the value is the same wherever in the function it is read."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if len(life.flow.definitions.get(inner.id, ())) > 1:
                return False
        elif not isinstance(inner, ast.Constant | ast.expr_context):
            return False
    return True


def _next_to(value: ast.expr, call: ast.Call, module: Module) -> bool:
    first, second = module.statement(value), module.statement(call)
    try:
        suite = module.suite(first)
        return suite.index(second) == suite.index(first) + 1
    except ValueError:
        return False


# What a value is


@dataclass(frozen=True)
class ValueFacts:
    """What is known of a parameter's value."""

    type: str = ""
    may_be_none: bool = True


_CALLS = {
    "str": "str", "int": "int", "float": "float", "bool": "bool", "len": "int", "round": "",
    "json.dumps": "str", "repr": "str", "datetime.now": "datetime", "datetime.utcnow": "datetime",
    "datetime.datetime.now": "datetime", "datetime.datetime.utcnow": "datetime", "date.today": "date",
    "datetime.date.today": "date", "Decimal": "Decimal", "time.time": "float", "uuid.uuid4": "UUID", "uuid4": "UUID",
    "bytes": "bytes", "dict": "dict", "list": "list", "sorted": "list",
    "timezone.now": "datetime", "datetime": "datetime",
    "timedelta": "timedelta", "sum": "", "max": "", "min": "", "abs": "", "dumps": "str",
}  # fmt: skip
_METHODS = dict.fromkeys(
    [
        "isoformat",
        "strftime",
        "strip",
        "lower",
        "upper",
        "format",
        "join",
        "replace",
        "hexdigest",
        "decode",
        "hex",
        "title",
        "capitalize",
    ],
    "str",
) | {"encode": "bytes", "digest": "bytes", "timestamp": "float", "total_seconds": "float"}
_ANNOTATIONS = frozenset(
    ["str", "int", "float", "bool", "bytes", "datetime", "date", "time", "Decimal", "UUID", "dict", "list"]
)


def value_facts(node: ast.expr, life: Life, depth: int = 4) -> ValueFacts:
    """The type and None-ness of an expression's value, as far as the function tells."""
    match node:
        case ast.Constant(value=None):
            return ValueFacts("None")
        case ast.Constant(value=value):
            return ValueFacts(type(value).__name__, may_be_none=False)
        case ast.JoinedStr():
            return ValueFacts("str", may_be_none=False)
        case ast.Dict() | ast.DictComp():
            return ValueFacts("dict", may_be_none=False)
        case ast.List() | ast.ListComp():
            return ValueFacts("list", may_be_none=False)
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return ValueFacts("bool", may_be_none=False)
        case ast.Call():
            return _call_facts(node)
        case ast.IfExp(body=body, orelse=orelse):
            first, second = value_facts(body, life, depth), value_facts(orelse, life, depth)
            same = first.type if first.type == second.type else ""
            return ValueFacts(same, first.may_be_none or second.may_be_none)
        case ast.BinOp(left=left, right=right):
            types = {value_facts(left, life, depth).type, value_facts(right, life, depth).type}
            return ValueFacts(_sum_type(types), may_be_none=False)
        case ast.Name() if depth:
            return _name_facts(node, life, depth - 1)
        case _:
            return ValueFacts()


def _sum_type(types: set[str]) -> str:
    if "timedelta" in types and types & {"datetime", "date"}:
        return "datetime" if "datetime" in types else "date"
    return types.pop() if len(types) == 1 and types <= {"str", "int", "float", "Decimal", "list"} else ""


def _call_facts(node: ast.Call) -> ValueFacts:
    name = dotted(node.func)
    if name in _CALLS:
        return ValueFacts(_CALLS[name], may_be_none=not _CALLS[name])
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        return ValueFacts(_METHODS[node.func.attr], may_be_none=False)
    return ValueFacts()


def _name_facts(node: ast.Name, life: Life, depth: int) -> ValueFacts:
    definitions = life.flow.of(node)
    if len(definitions) == 1 and isinstance(definition := next(iter(definitions)), ast.arg):
        return _argument_facts(definition, life)
    facts = []
    for definition in definitions:
        value = only_value(frozenset({definition}), life.module)
        if value is None:
            return ValueFacts()
        facts.append(value_facts(value, life, depth))
    if not facts:
        return ValueFacts()
    types = {f.type for f in facts if f.type != "None"}
    return ValueFacts(types.pop() if len(types) == 1 else "", any(f.may_be_none for f in facts))


def _argument_facts(arg: ast.arg, life: Life) -> ValueFacts:
    """An annotated parameter is taken at its word, unless it has a default of None."""
    name = dotted(arg.annotation).rpartition(".")[2] if arg.annotation is not None else ""
    if name not in _ANNOTATIONS or not isinstance(life.host, FunctionNode):
        return ValueFacts()
    arguments = life.host.args
    listed = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip(listed[::-1], arguments.defaults[::-1], strict=False))
    defaults.update({a: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None})
    default = defaults.get(arg)
    none = isinstance(default, ast.Constant) and default.value is None
    return ValueFacts(name, may_be_none=none)

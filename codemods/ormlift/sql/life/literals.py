"""The SQL text and the parameters of one `execute(..)`, where the code says them."""

from __future__ import annotations

import ast
import inspect
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ormlift.project.escape.choice import bound_in
from ormlift.sql.life.bound import is_bound, is_shared
from ormlift.sql.life.escaped import unescaped
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.holes import FIRST, Hole, item_list, listed
from ormlift.sql.life.model import Life
from ormlift.sql.life.spelled import spelled
from ormlift.syntax import FunctionNode, Module, dotted, module_level, suites

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
    many: frozenset[int | str] = frozenset()  # those that stand for a whole list
    bound: tuple[str, ...] = ()  # texts of values that were part of the SQL text
    loose: frozenset[int | str] = frozenset()  # those of them that stood there in no quotes, and may be no numbers
    counted: str = ""  # the variable that holds them, whose length the driver compared with the placeholders
    unseen: str = ""  # the variable that holds them, whose items cannot be told
    variables: tuple[ast.Name, ...] = ()  # local variables that hold nothing but the parameters, all of them taken over


def sql_text(node: ast.expr, life: Life, depth: int = _DEPTH) -> Text | None:
    """The text that `node` always has, or None."""
    if depth == 0 or node in life.texts:
        return life.texts.get(node)
    match node:
        case ast.Constant(value=str(value)):
            return Text(value)
        case ast.JoinedStr(values=values):
            return _joined([_hole(v, life, depth) for v in values])
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _added(sql_text(left, life, depth - 1), sql_text(right, life, depth - 1), left, right, life)
        case ast.BinOp(op=ast.Mod(), left=left, right=right):
            return _percent(left, right, life, depth)
        case ast.Call(func=ast.Attribute(value=template, attr="format")):
            return _format(template, node, life, depth)
        case ast.Call(func=ast.Attribute(attr="join")):
            return _listed(node, life)
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
        if not plain:
            return None
        return sql_text(node.value, life, depth - 1) or _value(node.value, life)
    return sql_text(node, life, depth - 1)


def _added(left: Text | None, right: Text | None, first: ast.expr, second: ast.expr, life: Life) -> Text | None:
    """`"..." + x`: text that is known, and a value between."""
    if left is None and right is None:
        return None
    return _joined([left or _value(first, life), right or _value(second, life)])


def _value(node: ast.expr, life: Life) -> Text | None:
    """A value that is put into the text: a mark stands for it."""
    if isinstance(node, ast.Call) and dotted(node.func) == "str" and len(node.args) == 1:
        known = value_facts(node.args[0], life).type
        return _marked(Hole(node.args[0], many=False, known=known or "number"), life)  # a name would be text already
    quotes = says_quotes(unescaped(node), life)
    return _marked(Hole(node, many=False, known=value_facts(node, life).type, quotes=quotes), life)


def says_quotes(node: ast.expr, life: Life, depth: int = 3) -> bool:
    """Whether the code of a value, or of what a variable in it holds, says quotes: `"', '".join(names)`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and "'" in inner.value:
            return True
        if isinstance(inner, ast.Name) and depth:
            values = (only_value(frozenset({d}), life.module) for d in life.flow.of(inner))
            if any(value is not None and says_quotes(value, life, depth - 1) for value in values):
                return True
    return False


def _listed(node: ast.expr, life: Life) -> Text | None:
    source = listed(node)
    if source is not None:
        return _marked(Hole(source, many=True, known=""), life)
    values = spelled(node)
    made = Hole(values.source, many=True, known="", spelled=values, joined=node) if values is not None else None
    return _marked(made, life) if made is not None else None


def _marked(hole: Hole, life: Life) -> Text:
    for mark, known in life.holes.items():
        if known.node is hole.node and known.many is hole.many and known.cut is hole.cut:
            return Text(mark)
    mark = chr(FIRST + len(life.holes))
    life.holes[mark] = hole
    return Text(mark)


def _percent(left: ast.expr, right: ast.expr, life: Life, depth: int) -> Text | None:
    """`"..." % (a, b)`."""
    template = sql_text(left, life, depth - 1)
    parts = re.split(r"(%(?:\(\w+\))?[sd]|%%)", template.value) if template is not None else []
    if template is None or any("%" in part for part in parts[::2]):
        return None
    keys = [part[1:-1].strip("()") for part in parts[1::2] if part != "%%"]
    given = _given(keys, right, life)
    if given is None:
        return None
    values = iter(given)
    whole = _joined([_percented(p, values, life, depth) for p in parts])
    return whole and Text(whole.value, (*template.variables, *whole.variables))


def _given(keys: Sequence[str], node: ast.expr, life: Life) -> Sequence[ast.expr] | None:
    """The values that `% node` puts in, one for each placeholder; None where they are not said one by one."""
    named = _keyed(node)
    if named is not None and all(keys):
        return [named[key] for key in keys] if set(keys) <= set(named) else None
    held = only_value(life.flow.of(node), life.module) if isinstance(node, ast.Name) else node
    values = node.elts if isinstance(node, ast.Tuple) else [node]
    several = isinstance(held, ast.Tuple) and held is not node  # a variable of them
    return None if any(keys) or several or len(values) != len(keys) else values


def _keyed(node: ast.expr) -> dict[str, ast.expr] | None:
    """The items of a dict that is written out, in braces or by dict()."""
    match node:
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            found = {k.value: v for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str)}
            return found if len(found) == len(keys) else None
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            named = {k.arg: k.value for k in keywords if k.arg}
            return named if len(named) == len(keywords) else None
        case _:
            return None


def _percented(part: str, given: Iterator[ast.expr], life: Life, depth: int) -> Text | None:
    if part == "%%" or not part.startswith("%"):
        return Text("%" if part == "%%" else part)
    if part.endswith("d"):
        node = next(given)
        cut = value_facts(node, life).type not in ("int", "bool")
        return _marked(Hole(node, many=False, known="int", cut=cut), life)
    return _put(next(given), life, depth)


def _format(node: ast.expr, call: ast.Call, life: Life, depth: int) -> Text | None:
    """`"...".format(a, b=c)`, of a text or of what holds one."""
    template = sql_text(node, life, depth - 1)
    if template is None or any(mark in template.value for mark in life.holes):
        return None
    whole = _formatted(template.value, call, life, depth)
    return whole and Text(whole.value, (*template.variables, *whole.variables))


def _formatted(template: str, call: ast.Call, life: Life, depth: int) -> Text | None:
    named = {k.arg: k.value for k in call.keywords if k.arg}
    if len(named) != len(call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    parts: list[Text | None] = []
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError:
        return None
    for number, (text, key, spec, conversion) in enumerate(fields):
        parts.append(Text(text))
        if key is None:
            continue
        if spec or conversion:
            return None
        place = number if not key else int(key) if key.isdigit() else None
        value = named.get(key) if place is None else (call.args[place] if place < len(call.args) else None)
        parts.append(_put(value, life, depth) if value is not None else None)
    return _joined(parts)


def _put(node: ast.expr, life: Life, depth: int) -> Text | None:
    return sql_text(node, life, depth - 1) or _value(node, life)


def _named(node: ast.Name, life: Life, depth: int) -> Text | None:
    definitions = life.flow.of(node)
    if definitions:
        value = only_value(definitions, life.module)
        text = sql_text(value, life, depth - 1) if value is not None else None
        (definition,) = definitions if len(definitions) == 1 else (None,)
        if text is None or definition is None or not is_surely(definition, node, life):
            return None
        if not isinstance(definition, ast.Name):
            return text
        if (hole := life.holes.get(text.value)) is not None and hole.spelled is not None:
            life.holes[text.value] = replace(hole, joined=node)
        return Text(text.value, (*text.variables, definition))
    if node.id in life.flow.definitions or is_enclosed(node.id, life):
        return None
    life.constants["", node.id] = None
    return _constant(node.id, module_level(life.module.tree), life)


def is_surely(definition: ast.AST, name: ast.Name, life: Life) -> bool:
    """Whether a variable surely holds what one definition gave it."""
    return is_bound(definition, name, life.module) and not is_shared(name.id, life.host)


def is_enclosed(name: str, life: Life) -> bool:
    """Whether a name that the function does not bind is one of a function around it."""
    return any(name in bound_in(f) for f in life.module.ancestors(life.host) if isinstance(f, FunctionNode))


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


def constant_value(name: str, statements: Sequence[ast.stmt], module: Module) -> ast.expr | None:
    """What a name of a module or class is bound to, if that happens once."""
    values = [s for s in statements if name in _bound(s)]
    if len(values) != 1 or _rebound_elsewhere(name, module):
        return None
    (statement,) = values
    plain = isinstance(module.parents[statement], ast.Module | ast.ClassDef)
    starred = (s for s in statements if isinstance(s, ast.ImportFrom) and s.names[0].name == "*")
    if not plain or any(s.lineno > statement.lineno for s in starred) or sum(_binds(name, s) for s in statements) != 1:
        return None
    return statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None


def _binds(name: str, statement: ast.stmt) -> int:
    """How often a statement binds a name by itself, in whatever way; those inside it are counted for themselves."""
    inside = {inner for suite in suites(statement) for s in suite for inner in ast.walk(s)}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return int(statement.name == name)
    found = 0
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=said, ctx=ast.Store() | ast.Del()) | ast.MatchAs(name=said) | ast.MatchStar(name=said):
                found += said == name and node not in inside
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found += sum((a.asname or a.name.partition(".")[0]) == name for a in aliases) * (node not in inside)
            case ast.ExceptHandler(name=said) | ast.MatchMapping(rest=said):
                found += said == name and node not in inside
    return found


def _constant(name: str, statements: Iterable[ast.stmt], life: Life) -> Text | None:
    """A constant of a module or class: bound once, and to a literal."""
    value = constant_value(name, list(statements), life.module)
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
    return any(name in n.names for n in module.nodes(ast.Global)) or any(
        name in n.names for n in module.nodes(ast.Nonlocal)
    )


def _class_constant(node: ast.Attribute, life: Life) -> Text | None:
    owner = dotted(node.value)
    around = life.module.enclosing_class(life.host) if owner in ("self", "cls") else None
    classes = [c for c in life.module.tree.body if isinstance(c, ast.ClassDef) and c.name == owner]
    found = around or (classes[0] if len(classes) == 1 else None)
    if found is None:
        return None
    stores = [n for n in life.module.nodes(ast.Attribute) if n.attr == node.attr and not isinstance(n.ctx, ast.Load)]
    if owner in ("self", "cls") and is_bound_elsewhere(node.attr, found, life.module):
        return None
    life.constants[found.name, node.attr] = None
    return None if stores else _constant(node.attr, found.body, life)


def is_bound_elsewhere(attr: str, owner: ast.ClassDef, module: Module) -> bool:
    """Whether another class of the file, which may inherit from this one, binds the attribute too, or setattr may."""
    others = (c for c in module.nodes(ast.ClassDef) if c is not owner)
    if any(attr in _bound(statement) for c in others for statement in c.body):
        return True
    if _is_field(attr, owner) or any(_fills(n, module) for n in (*module.nodes(ast.Attribute), *module.calls)):
        return True
    calls = (c for c in module.calls if dotted(c.func) == "setattr" and len(c.args) > 1)
    return any(not isinstance(c.args[1], ast.Constant) or c.args[1].value == attr for c in calls)


def _is_field(attr: str, owner: ast.ClassDef) -> bool:
    """Whether each object of a class may have its own: a field of a dataclass, a NamedTuple, a pydantic model."""
    made = bool(owner.decorator_list or owner.bases)
    fields = (s for s in owner.body if isinstance(s, ast.AnnAssign) and dotted(s.target) == attr)
    return made and any(not {"ClassVar", "Final"} & _said(s.annotation) for s in fields)


def _said(annotation: ast.expr) -> set[str]:
    return {dotted(n).rpartition(".")[2] for n in ast.walk(annotation) if isinstance(n, ast.Name | ast.Attribute)}


def _fills(node: ast.expr, module: Module) -> bool:
    """`self.__dict__.update(..)`, `vars(self)[name] = ..`: any attribute may be set."""
    if isinstance(node, ast.Call) and dotted(node.func) != "vars":
        return False
    if isinstance(node, ast.Attribute) and node.attr != "__dict__":
        return False
    match module.parents[node]:
        case ast.Attribute(attr="update" | "setdefault" | "__setitem__"):
            return True
        case ast.Subscript(value=value, ctx=ctx):
            return value is node and not isinstance(ctx, ast.Load)
        case ast.Assign(targets=targets):
            return node in targets
        case _:
            return False


# Parameters


def parameters(call: ast.Call, life: Life) -> Parameters | None:
    """The parameters of an `execute(..)`, or None where they are not written one by one."""
    passed = [*call.args[1:], *(k.value for k in call.keywords if k.arg in _PARAMETERS)]
    if not passed:
        others = [k for k in call.keywords if k.arg != "execution_options"]
        return Parameters(passed=False) if len(call.args) == 1 and not others else None
    if len(passed) > 1 or any(isinstance(a, ast.Starred) for a in passed):
        return None
    node = passed[0]
    if isinstance(node, ast.Constant) and node.value is None:
        return Parameters(passed=False)
    if isinstance(node, ast.Name):
        return _variable(node, call, life)
    return _literal(node, life) or _spread(node, life)


def opaque(call: ast.Call, keys: Sequence[int | str], life: Life) -> Parameters | None:
    """Parameters in a name that nothing is known of, read one by one."""
    if len(call.args) != 2 or not isinstance(call.args[1], ast.Name) or call.keywords:
        return None
    name = call.args[1]
    named = any(isinstance(key, str) for key in keys)
    if value_facts(name, life).type in ("str", "int", "list" if named else "dict"):
        return None
    texts = {key: f'{name.id}["{key}"]' if named else f"{name.id}[{key}]" for key in keys}
    return Parameters(texts, counted="" if named else name.id, unseen=name.id)


def whole_list(call: ast.Call, life: Life) -> Parameters | None:
    """All parameters are one list: `execute(sql, ids)`."""
    if len(call.args) != 2 or call.keywords:
        return None
    node = call.args[1]
    return Parameters({0: item_list(node, life.module)}, {0: node}, many=frozenset({0}))


def _spread(node: ast.expr, life: Life) -> Parameters | None:
    """`[a, *ids]`, `(a,) + tuple(ids)`: some of them are lists."""
    elements = _elements(node)
    if elements is None:
        return None
    texts: dict[int | str, str] = {}
    nodes: dict[int | str, ast.expr] = {}
    many = set()
    for n, (element, several) in enumerate(elements):
        texts[n] = item_list(element, life.module) if several else life.module.text(element)
        nodes[n] = element
        many |= {n} if several else set()
    return Parameters(texts, nodes, many=frozenset(many))


def _elements(node: ast.expr) -> list[tuple[ast.expr, bool]] | None:
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return [(e.value, True) if isinstance(e, ast.Starred) else (e, False) for e in elts]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _elements(left), _elements(right)
            return None if first is None or second is None else [*first, *second]
        case ast.Call(func=ast.Name(id="tuple" | "list"), args=[inner], keywords=[]):
            return _elements(inner) if isinstance(inner, ast.Tuple | ast.List | ast.BinOp) else [(inner, True)]
        case ast.Name():
            return [(node, True)]
        case _:
            return None


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
    literal = (_literal(value, life) or _spread(value, life)) if value is not None else None
    if value is None or literal is None:
        return None
    (definition,) = definitions
    if not is_surely(definition, name, life):
        return None
    loads = [n for n, d in _loads(life.flow, name.id) if definition in d]
    executed = [n for n in loads if _is_parameter(n, life.module)]
    if not isinstance(value, ast.Tuple) and len(executed) != len(loads):
        return None
    own = not life.flow.captured.get(name.id)  # a function inside may set an item of it
    beside = own and next_to(value, call, life.module)
    if beside or (own and all(is_stable(node, life, call) for node in literal.nodes.values())):
        whole = (definition,) if isinstance(definition, ast.Name) else ()
        return Parameters(literal.texts, literal.nodes, variables=whole, many=literal.many)
    if literal.many:
        return None
    return Parameters({key: f"{name.id}[{key!r}]" for key in literal.texts}, literal.nodes)


def _loads(flow: Flow, name: str) -> list[tuple[ast.Name, frozenset[ast.AST]]]:
    return [(n, d) for (n, key), d in flow.reaching.items() if key == name and isinstance(n, ast.Name)]


def _is_parameter(node: ast.Name, module: Module) -> bool:
    parent = module.parents[node]
    if not isinstance(parent, ast.Call) or node in parent.args[:1]:
        return False
    return isinstance(parent.func, ast.Attribute) and parent.func.attr in ("execute", "scalar", "scalars")


def is_stable(node: ast.expr, life: Life, call: ast.Call) -> bool:
    """Whether the value is the same where it is written and where the call runs."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            definitions = life.flow.definitions.get(inner.id, set())
            if not definitions and _rebound_elsewhere(inner.id, life.module):
                return False
            if is_shared(inner.id, life.host):
                return False
            if len(definitions) > 1 or any(_may_differ(d, node, call, life.module) for d in definitions):
                return False
        elif not isinstance(inner, ast.Constant | ast.expr_context):
            return False
    return True


def _may_differ(definition: ast.AST, node: ast.expr, call: ast.Call, module: Module) -> bool:
    """Whether a name bound in a loop may be bound anew between the expression and the call."""
    loops = [a for a in module.ancestors(definition) if isinstance(a, ast.For | ast.AsyncFor | ast.While)]
    if not loops:
        return False
    first, around = module.statement(node), [module.statement(call), *module.ancestors(call)]
    suite = module.suite(first)
    before = any(s in around for s in suite[suite.index(first) :])  # the call comes behind it in the same round
    between = node.lineno < getattr(definition, "lineno", 0) <= call.lineno
    return not before or between


def next_to(value: ast.expr, call: ast.Call, module: Module) -> bool:
    """Whether the call's statement is the one after the value's."""
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
    name, optional = _annotated(arg.annotation)
    if name not in _ANNOTATIONS or not isinstance(life.host, FunctionNode):
        return ValueFacts()
    arguments = life.host.args
    listed = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip(listed[::-1], arguments.defaults[::-1], strict=False))
    defaults.update({a: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None})
    default = defaults.get(arg)
    none = isinstance(default, ast.Constant) and default.value is None
    return ValueFacts(name, may_be_none=none or optional)


def _annotated(node: ast.expr | None) -> tuple[str, bool]:
    """The plain name of an annotation's type, and whether it says that None may come: `Optional[str]`, `str | None`."""
    match node:
        case ast.Subscript(value=base, slice=inner):
            name = dotted(base).rpartition(".")[2]
            if name == "Optional":
                return _annotated(inner)[0], True
            return {"Dict": "dict", "List": "list"}.get(name, name), False
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _annotated(left)[0], True
        case ast.Name() | ast.Attribute():
            return dotted(node).rpartition(".")[2], False
        case _:
            return "", False

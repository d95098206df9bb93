"""One expression for statements that differ by a word that the code chooses: `getattr(Model, field)`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence

from ormlift.sql.layout import (
    ATOM,
    COMPARE,
    PRODUCT,
    SUM,
    Atom,
    Chain,
    Infix,
    Items,
    Node,
    Pair,
    Prefix,
    call,
    flat,
    guarded,
)
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import dotted

Way = Mapping[str, str]  # the word that each name holds
_LOOSE = COMPARE - 1
_SIGNS: Mapping[type[ast.AST], tuple[str, int]] = {
    ast.Add: ("+", SUM), ast.Sub: ("-", SUM), ast.Mult: ("*", PRODUCT), ast.Div: ("/", PRODUCT),
    ast.FloorDiv: ("//", PRODUCT), ast.Mod: ("%", PRODUCT), ast.Eq: ("==", COMPARE), ast.NotEq: ("!=", COMPARE),
    ast.Lt: ("<", COMPARE), ast.LtE: ("<=", COMPARE), ast.Gt: (">", COMPARE), ast.GtE: (">=", COMPARE),
}  # fmt: skip


def unified(ways: Sequence[Way], texts: Sequence[str], session: str, line: int) -> Node:
    """An expression that gives each way's own, by the names that hold the words.

    Raises Refused where there is none that can be read.
    """
    trees = [ast.parse(text.strip(), mode="eval").body for text in texts]
    unifier = _Unifier(ways, session, line)
    node = unifier.one(trees, list(range(len(ways))), whole=True)
    said = ast.parse(flat(node), mode="eval").body
    for way, tree in zip(ways, trees, strict=True):
        if ast.dump(_Settled(way).visit(copy.deepcopy(said))) != ast.dump(_Settled(way).visit(copy.deepcopy(tree))):
            raise unifier.odd()
    return node


class _Unifier:
    def __init__(self, ways: Sequence[Way], session: str, line: int) -> None:
        self.ways, self.session, self.line = ways, session, line
        self.branched = False

    def one(self, nodes: Sequence[ast.expr], places: Sequence[int], *, whole: bool = False) -> Node:
        """What gives each of `nodes`, of the ways at `places`."""
        if len({ast.dump(node) for node in nodes}) > 1:
            chosen = self._chosen(nodes, places)
            if chosen is not None:
                return chosen
            if len({repr(_shape(node)) for node in nodes}) > 1:
                return self._branches(nodes, places, whole=whole)
        columns = zip(*(_parts(node) for node in nodes), strict=True)
        parts = {id(column[0]): self.one(column, places) for column in columns}
        keys = [self._key([_keywords(node)[n] for node in nodes], places) for n in range(len(_keywords(nodes[0])))]
        return self._made(nodes[0], lambda part: parts[id(part)], keys)

    # What differs

    def _chosen(self, nodes: Sequence[ast.expr], places: Sequence[int]) -> Node | None:
        """`getattr(Model, name)` for an attribute, the name for a string."""
        strings = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        if len(strings) == len(nodes):
            said = self._word(strings, places)
            return Atom(said) if said else None
        attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
        if len(attributes) < len(nodes) or len({ast.dump(node.value) for node in attributes}) > 1:
            return None
        said = self._word([node.attr for node in attributes], places)
        return call("getattr", self.one([attributes[0].value], places[:1]), Atom(said)) if said else None

    def _word(self, texts: Sequence[str], places: Sequence[int]) -> str:
        """An expression of one name that gives these texts; empty where there is none."""
        for name, held in self.ways[places[0]].items():
            before, found, behind = texts[0].partition(held)
            pairs = zip(texts, places, strict=True)
            if found and all(text == f"{before}{self.ways[place][name]}{behind}" for text, place in pairs):
                plain = (before + behind).isprintable() and not set(before + behind) & set('{}"\\')
                return name if not before and not behind else f'f"{before}{{{name}}}{behind}"' if plain else ""
        return ""

    def _key(self, names: Sequence[str], places: Sequence[int]) -> str:
        """The name of a keyword, or what gives it, in braces."""
        if len(set(names)) == 1:
            return names[0]
        said = self._word(names, places)
        if not said:
            raise self.odd()
        return f"{{{said}}}"

    def _branches(self, nodes: Sequence[ast.expr], places: Sequence[int], *, whole: bool) -> Node:
        """`a if name == "x" else b`; of names, a dict. One in a statement: more of them nobody reads."""
        if self.branched:
            raise self.odd()
        self.branched = True
        for name, groups in self._groups(places):
            if whole or len(groups) < 2:
                continue
            made = {w: self.one([nodes[n] for n in g], [places[n] for n in g]) for w, g in groups.items()}
            if len(made) == 2:
                (word, one), (_, other) = made.items()
                return Atom(f'{flat(one)} if {name} == "{word}" else {flat(other)}', _LOOSE)
            if all(isinstance(node, Atom) for node in made.values()):
                pairs = ", ".join(f'"{word}": {flat(node)}' for word, node in made.items())
                return Atom(f"{{{pairs}}}[{name}]")
        raise self.odd()

    def _groups(self, places: Sequence[int]) -> list[tuple[str, dict[str, list[int]]]]:
        """The names, those of few words first, and which of the ways each word is of."""
        found: list[tuple[str, dict[str, list[int]]]] = []
        for name in self.ways[places[0]]:
            held = [self.ways[place][name] for place in places]
            found.append((name, {w: [n for n, h in enumerate(held) if h == w] for w in dict.fromkeys(held)}))
        return sorted(found, key=lambda pair: len(pair[1]))

    def odd(self) -> Refused:
        """The refusal."""
        message = f"the statements of line {self.line} differ by more than a word, as words are put into their text"
        return Refused("dynamic-sql", f"{message}; write each statement as one literal")

    # An expression laid out as the writer does

    def _made(self, node: ast.expr, part: Callable[[ast.expr], Node], keys: Sequence[str]) -> Node:
        match node:
            case ast.Call(func=func, args=args):
                items = [part(arg) for arg in args]
                items += [_keyword(key, part(k.value)) for key, k in zip(keys, node.keywords, strict=True)]
                return self._called(func, items, part)
            case ast.Attribute(value=value, attr=attr):
                inner = part(value)
                if isinstance(inner, Atom) and inner.text == self.session:
                    return Chain(inner, (Atom(attr),), split=False)
                if isinstance(inner, Atom):
                    return Atom(f"{guarded(inner, ATOM)}.{attr}")
                return self._link(inner, Atom(attr))
            case ast.List(elts=elts):
                return Items("", "[", tuple(map(part, elts)), "]")
            case ast.Tuple(elts=elts):
                return Items("", "(", tuple(map(part, elts)), ")")
            case ast.Dict(keys=named, values=values):
                pairs = zip(named, values, strict=True)
                return Items("", "{", tuple(Pair(flat(part(k)), ": ", part(v)) for k, v in pairs if k), "}")
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                if type(op) in _SIGNS:
                    sign, level = _SIGNS[type(op)]
                    return Infix(part(left), sign, part(right), level)
            case ast.UnaryOp(op=ast.USub() | ast.Invert() as op, operand=operand):
                return Prefix("-" if isinstance(op, ast.USub) else "~", part(operand))
            case ast.Await(value=value):
                return Atom(f"await {flat(part(value))}", _LOOSE)
        if _parts(node):
            raise self.odd()
        return Atom(_said(node), ATOM if isinstance(node, ast.Name | ast.Constant | ast.Subscript) else _LOOSE)

    def _called(self, func: ast.expr, items: Sequence[Node], part: Callable[[ast.expr], Node]) -> Node:
        made = part(func)
        if isinstance(made, Atom):
            if made.level < ATOM:
                raise self.odd()
            return call(made.text, *items)
        if isinstance(made, Chain):
            if flat(made.links[-1]) == "values" and len(items) == 1 and flat(items[0]).startswith("**"):
                items = [Atom(flat(items[0]).removeprefix("**"))]
            return Chain(made.base, (*made.links[:-1], call(flat(made.links[-1]), *items)), made.split)
        return call(flat(made), *items)

    def _link(self, inner: Node, link: Atom) -> Chain:
        if isinstance(inner, Chain):
            return Chain(inner.base, (*inner.links, link), inner.split)
        return Chain(inner, (link,))


def _keyword(key: str, value: Node) -> Node:
    return Atom(f"**{{{key[1:-1]}: {flat(value)}}}") if key.startswith("{") else Pair(key, "=", value)


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions that an expression is made of; none where it is taken as it stands."""
    match node:
        case ast.Call(func=func, args=args, keywords=keywords):
            return [func, *args, *(keyword.value for keyword in keywords)]
        case ast.Dict(keys=keys, values=values):
            return [*(key for key in keys if key is not None), *values]
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Attribute() | ast.List() | ast.Tuple() | ast.BinOp() | ast.UnaryOp() | ast.Await():
            return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        case _:
            return []


def _keywords(node: ast.expr) -> list[str]:
    return [keyword.arg or "" for keyword in node.keywords] if isinstance(node, ast.Call) else []


def _shape(node: ast.expr) -> object:
    """What must be the same for two expressions to differ by their parts alone."""
    signs = [
        type(child).__name__ for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr | ast.keyword)
    ]
    own = node.attr if isinstance(node, ast.Attribute) else ast.dump(node) if not _parts(node) else ""
    return type(node).__name__, len(_parts(node)), len(_keywords(node)), signs, own


def _said(node: ast.expr) -> str:
    from ormlift.sql.operands import quoted

    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return quoted(node.value)
    if isinstance(node, ast.Subscript):
        return f"{_said(node.value)}[{_said(node.slice)}]"
    return dotted(node) or ast.unparse(node)


class _Settled(ast.NodeTransformer):
    """An expression as it is where the names hold certain words."""

    def __init__(self, way: Way) -> None:
        self.way = way

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self.way[node.id]) if node.id in self.way else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        return ast.Constant("".join(texts)) if len(texts) == len(parts) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        match node.test:
            case ast.Compare(left=ast.Constant(value=left), ops=[ast.Eq()], comparators=[ast.Constant(value=right)]):
                return node.body if left == right else node.orelse
            case _:
                return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=ast.Dict(keys=keys, values=values), slice=ast.Constant(value=word)):
                found = [
                    v for k, v in zip(keys, values, strict=True) if isinstance(k, ast.Constant) and k.value == word
                ]
                return found[0] if len(found) == 1 else node
            case _:
                return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attr))]):
                return ast.Attribute(value, attr, ast.Load())
            case ast.Call(func=ast.Attribute(attr="values"), args=[ast.Dict() as given], keywords=[]):
                node.args, node.keywords = [], [ast.keyword(None, given)]
        node.keywords = [k for keyword in node.keywords for k in _spread(keyword)]
        return node


def _spread(keyword: ast.keyword) -> list[ast.keyword]:
    """`**{"a": x}` as `a=x`."""
    if keyword.arg is not None or not isinstance(keyword.value, ast.Dict):
        return [keyword]
    pairs = zip(keyword.value.keys, keyword.value.values, strict=True)
    return [ast.keyword(str(k.value) if isinstance(k, ast.Constant) else None, v) for k, v in pairs]

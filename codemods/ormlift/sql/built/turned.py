"""The statements that filled lists and texts, as they fill lists of expressions, dicts and statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ormlift.sql.built.built import Group
from ormlift.sql.built.express import Expressed, is_single
from ormlift.sql.built.inlined import Inliner
from ormlift.sql.built.regions import Is, Region
from ormlift.sql.built.values import KEY
from ormlift.sql.layout import Atom, Node, Pair, lay_out
from ormlift.sql.layout import Items as Bracketed
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.text import edited_text, line_length, one_line
from ormlift.sql.textual.grown import statement_text
from ormlift.syntax import Module

ADVICE = "write each statement as one literal, or build a select() step by step"
Texts = Mapping[ast.expr, tuple[str, ...]]


@dataclass
class Turner:
    """Writes them for one group."""

    group: Group
    expressed: Sequence[Expressed]
    texts: Texts  # what each item becomes

    @property
    def module(self) -> Module:
        """The file."""
        return self.group.life.module

    def text(self, statement: ast.stmt) -> str:
        """What becomes of one statement. Raises Refused."""
        if is_unpacking(statement):
            return self._unpacked(statement)
        if statement in self.group.walk.helpers.inlined:
            return Inliner(self.group, self.texts, statement, self.put).text()
        name = next(n for n in self.group.walk.touched[statement] if n in self.group.regions)
        region = self.group.regions[name]
        if region.text:
            return self._retold(statement, region)
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self._made(statement, region, self._displayed(value))
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[value])):
                return self._added(statement, region, [value])
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="extend"), args=[value])) | ast.AugAssign(value=value):
                return self._added(statement, region, self._displayed(value))
        raise _refused(f"line {statement.lineno} does more with {name} than to fill it")

    def _unpacked(self, statement: ast.stmt) -> str:
        """`a, b = [], []`: those that are left, each by itself."""
        lines: list[str] = []
        for name, value in _pairs(statement):
            region = self.group.regions.get(name)
            if region is not None and region.text:
                raise _refused(f"line {statement.lineno} sets {name} beside others")
            if region is not None:
                lines.append(self._made(statement, region, self._displayed(value)))
            elif name not in self.group.walk.touched[statement]:
                lines.append(f"{name} = {self.module.text(value)}")
        return "\n".join(lines)

    def _retold(self, statement: ast.stmt, region: Region) -> str:
        """What becomes of a statement that sets a text, or appends to it."""
        more = _appended(statement, region.name)
        if more is not None and region.what is Is.CONDITIONS:
            return self._added(statement, region, [more])
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if more is not None or value is None:
            raise _refused(f"line {statement.lineno} does more with {region.name} than to set it")
        head = f"{region.name} = "
        if not isinstance(value, ast.IfExp):
            return head + self._leaf(value, region, statement, len(head))
        edits = {self.module.span(leaf): self._leaf(leaf, region, statement, 0) for leaf in _leaves(value)}
        return head + one_line(edited_text(value, edits, self.module))

    def _leaf(self, node: ast.expr, region: Region, statement: ast.stmt, start: int) -> str:
        empty = isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.strip()
        texts = () if empty else self.texts.get(node)
        if texts is None:
            raise _refused(f"what line {node.lineno} puts into {region.name} cannot be told")
        width = line_length(self.module) - self.module.span(statement).col
        stated = next((e.statements[node] for e in self.expressed if node in e.statements), None)
        if stated is not None:
            return statement_text(stated, width if start else 1_000_000, start)
        if all(is_single(region, self.texts, e.built) for e in self.expressed if region.name in e.built.regions):
            return texts[0]
        return lay_out(Bracketed("", "[", tuple(_atoms(texts)), "]"), width, start)

    def _displayed(self, node: ast.expr) -> Sequence[ast.expr]:
        match node:
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return elts
            case ast.Call(func=ast.Name(id="list"), args=[], keywords=[]):
                return ()
            case _:
                raise _refused(f"line {node.lineno} fills a list with what is not written there")

    def _texts(self, nodes: Sequence[ast.expr]) -> list[str]:
        found: list[str] = []
        for node in nodes:
            texts = self.texts.get(node)
            if not texts:
                raise _refused(f"what line {node.lineno} puts into a list becomes no condition")
            found += texts
        return found

    def _made(self, statement: ast.stmt, region: Region, nodes: Sequence[ast.expr]) -> str:
        texts = self._texts(nodes)
        head = f"{region.name} = "
        if not region.named:
            return head + self._laid(Bracketed("", "[", tuple(_atoms(texts)), "]"), statement, head)
        pairs = tuple(Pair(f'"{name}"', ": ", Atom(value)) for name, value in map(_pair, texts))
        return head + self._laid(Bracketed("", "{", pairs, "}"), statement, head)

    def _added(self, statement: ast.stmt, region: Region, nodes: Sequence[ast.expr]) -> str:
        texts = self._texts(nodes)
        if region.named:
            return "\n".join(self._set(statement, region, *_pair(text)) for text in texts)
        if len(texts) == 1:
            return self._laid(Bracketed(f"{region.name}.append", "(", tuple(_atoms(texts)), ")"), statement, "")
        inner = Bracketed("", "[", tuple(_atoms(texts)), "]")
        return self._laid(Bracketed(f"{region.name}.extend", "(", (inner,), ")"), statement, "")

    def _set(self, statement: ast.stmt, region: Region, name: str, value: str) -> str:
        head = f'{region.name}["{name}"] = '
        if name == KEY:
            head = f"{region.name}[{self._key(statement)}] = "
        return head + self._laid(Atom(value), statement, head)

    def _key(self, statement: ast.stmt) -> str:
        """The variable of the key that a round of the loop around adds."""
        loop = next(a for a in self.module.ancestors(statement) if isinstance(a, ast.For))
        target = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else loop.target
        return self.module.text(target)

    def put(self, region: Region, text: str, statement: ast.stmt) -> str:
        """The statement that adds one condition or assignment."""
        if region.named:
            return self._set(statement, region, *_pair(text))
        return self._laid(Bracketed(f"{region.name}.append", "(", (Atom(text),), ")"), statement, "")

    def _laid(self, node: Node, statement: ast.stmt, head: str) -> str:
        return lay_out(node, line_length(self.module) - self.module.span(statement).col, len(head))


def _pairs(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The variables of `a, b = 1, 2`, each with its value."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            return [(n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name)]
        case _:
            return []


def is_unpacking(statement: ast.stmt) -> bool:
    """Whether it is `a, b = 1, 2`."""
    return bool(_pairs(statement))


def unpacked(statement: ast.stmt) -> set[str]:
    """The variables that one statement binds together."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {n.id for t in targets if isinstance(t, ast.Tuple) for n in ast.walk(t) if isinstance(n, ast.Name)}


def apart(statement: ast.stmt) -> bool:
    """Whether its variables may be bound one behind the other: no value reads one."""
    pairs = _pairs(statement)
    names = {name for name, _ in pairs}
    return not any(isinstance(n, ast.Name) and n.id in names for _, value in pairs for n in ast.walk(value))


def _refused(message: str) -> Refused:
    return Refused("dynamic-sql", f"{message}; {ADVICE}")


def _appended(statement: ast.stmt, name: str) -> ast.expr | None:
    """What `x += ..` or `x = x + ..` appends."""
    match statement:
        case ast.AugAssign(value=value):
            return value
        case ast.Assign(value=ast.BinOp(ast.Name(id=left), ast.Add(), right=value)) if left == name:
            return value
        case _:
            return None


def _leaves(node: ast.expr) -> Iterator[ast.expr]:
    """The branches of a conditional expression."""
    if isinstance(node, ast.IfExp):
        yield from (*_leaves(node.body), *_leaves(node.orelse))
    else:
        yield node


def _atoms(texts: Sequence[str]) -> list[Node]:
    return [Atom(text) for text in texts]


def _pair(text: str) -> tuple[str, str]:
    """The name and the value of `name=value`."""
    name, _, value = text.partition("=")
    return name, value

"""Python expressions as small trees, and their text wrapped to a line length.

A tree is laid out flat where it fits. Where it does not, calls break inside their brackets and method chains at their
dots, as the common formatters do.
"""

from __future__ import annotations

from dataclasses import dataclass

STEP = 4
HUGGED = 30  # a call up to this long keeps its one method on its line: `insert(Job).values(`

# How tightly an operator binds in Python; a part that binds less tightly than its place gets parentheses.
COMPARE, SUM, PRODUCT, UNARY, ATOM = range(5)


@dataclass(frozen=True)
class Atom:
    """Text that is never broken."""

    text: str
    level: int = ATOM


@dataclass(frozen=True)
class Infix:
    """`left op right`."""

    left: Node
    op: str
    right: Node
    level: int


@dataclass(frozen=True)
class Prefix:
    """`-part` or `~part`."""

    op: str
    part: Node
    level: int = UNARY


@dataclass(frozen=True)
class Items:
    """Items between brackets: the arguments of a call, a list, a tuple, a dict; `head` is what stands before them."""

    head: str
    open: str
    items: tuple[Node, ...]
    close: str
    level: int = ATOM


@dataclass(frozen=True)
class Pair:
    """`key=value` of a call or `key: value` of a dict."""

    key: str
    joint: str
    value: Node
    level: int = COMPARE


@dataclass(frozen=True)
class Chain:
    """`base.name(args).name(args)`; `split`: broken at its dots, else inside its last bracket that holds something."""

    base: Node
    links: tuple[Items | Atom, ...]
    split: bool = True
    level: int = ATOM


Node = Atom | Infix | Prefix | Items | Pair | Chain


def call(name: str, *args: Node) -> Items:
    """`name(args)`."""
    return Items(name, "(", args, ")")


def method(base: Node, name: str, *args: Node) -> Chain:
    """`base.name(args)`, added to the chain that `base` may be."""
    link = call(name, *args)
    if isinstance(base, Chain):
        return Chain(base.base, (*base.links, link), base.split)
    return Chain(base, (link,))


def flat(node: Node) -> str:
    """The text in one line."""
    match node:
        case Atom():
            return node.text
        case Infix():
            return f"{guarded(node.left, node.level)} {node.op} {guarded(node.right, node.level + 1)}"
        case Prefix():
            return f"{node.op}{guarded(node.part, UNARY)}"
        case Pair():
            return f"{node.key}{node.joint}{flat(node.value)}"
        case Items():
            comma = "," if node.open == "(" and not node.head and len(node.items) == 1 else ""
            return f"{node.head}{node.open}{', '.join(flat(item) for item in node.items)}{comma}{node.close}"
        case Chain():
            return ".".join([guarded(node.base, ATOM), *(flat(link) for link in node.links)])


def guarded(node: Node, level: int) -> str:
    """The text, in parentheses where it binds less tightly than `level`."""
    return flat(node) if node.level >= level else f"({flat(node)})"


def lay_out(node: Node, width: int, column: int = 0, indent: int = 0) -> str:
    """The text, wrapped to `width`. It starts at `column`; later lines hang from `indent` and include it."""
    return _Layout(width).lay(node, column, indent, 0, inside=False)


class _Layout:
    def __init__(self, width: int) -> None:
        self.width = width

    def lay(self, node: Node, column: int, indent: int, tail: int, *, inside: bool) -> str:
        """`tail`: what still follows on the last line; `inside`: brackets stand around, so that lines may break."""
        text = flat(node)
        if column + len(text.split("\n", 1)[0]) + tail <= self.width:
            return text
        match node:
            case Items() if node.items:
                return self._items(node, indent)
            case Chain(base=Items(), links=(Items(items=items) as link,)) if items and len(flat(node.base)) <= HUGGED:
                return f"{flat(node.base)}.{self._items(link, indent)}"
            case Chain(base=Atom(text=base), links=(Items(items=items) as link,)) if items:
                return f"{base}.{self._items(link, indent)}"
            case Chain() if node.split and inside:
                return self._split(node, indent, tail)
            case Chain() if node.split:
                return f"(\n{_pad(indent + STEP)}{self._split(node, indent + STEP, 0)}\n{_pad(indent)})"
            case Chain():
                return self._hug(node, indent)
            case Pair():
                return (
                    node.key
                    + node.joint
                    + self.lay(node.value, column + len(node.key) + 1, indent, tail, inside=inside)
                )
            case Infix():
                return self._infix(node, column, indent, tail, inside=inside)
            case Prefix() if node.part.level >= UNARY:
                return node.op + self.lay(node.part, column + 1, indent, tail, inside=inside)
            case _:
                return text

    def _items(self, node: Items, indent: int) -> str:
        deeper = indent + STEP
        line = ", ".join(flat(item) for item in node.items)
        plain = not any(isinstance(item, Pair) or "\n" in flat(item) for item in node.items)
        if plain and len(node.items) > 1 and deeper + len(line) <= self.width and not node.head.endswith("values"):
            body = f"{_pad(deeper)}{line}\n"
        elif len(node.items) == 1:
            body = f"{_pad(deeper)}{self.lay(node.items[0], deeper, deeper, 0, inside=True)}\n"
        else:
            lines = [f"{_pad(deeper)}{self.lay(item, deeper, deeper, 1, inside=True)},\n" for item in node.items]
            body = "".join(lines)
        return f"{node.head}{node.open}\n{body}{_pad(indent)}{node.close}"

    def _split(self, node: Chain, indent: int, tail: int) -> str:
        first = (
            self.lay(node.base, indent, indent, 0, inside=True) if node.base.level >= ATOM else guarded(node.base, ATOM)
        )
        lines, links = [first], list(node.links)
        if isinstance(node.base, Atom) and len(links) > 1:
            link = links.pop(0)
            lines[0] += "." + self.lay(link, indent + len(first) + 1, indent, 0, inside=True)
        for link in links:
            last = tail if link is links[-1] else 0
            lines.append(f"{_pad(indent)}.{self.lay(link, indent + 1, indent, last, inside=True)}")
        return "\n".join(lines)

    def _hug(self, node: Chain, indent: int) -> str:
        holder = max((i for i, link in enumerate(node.links) if isinstance(link, Items) and link.items), default=None)
        if holder is None:
            return flat(node)
        parts = [guarded(node.base, ATOM)]
        for number, link in enumerate(node.links):
            parts.append(self._items(link, indent) if number == holder and isinstance(link, Items) else flat(link))
        return ".".join(parts)

    def _infix(self, node: Infix, column: int, indent: int, tail: int, *, inside: bool) -> str:
        left, right = guarded(node.left, node.level), guarded(node.right, node.level + 1)
        if isinstance(node.right, Items | Chain) and right[0] != "(":
            start = column + len(left) + len(node.op) + 2
            return f"{left} {node.op} {self.lay(node.right, start, indent, tail, inside=False)}"
        if inside:
            return f"{left}\n{_pad(indent)}{node.op} {right}"
        return f"{left} {node.op} {right}"


def _pad(indent: int) -> str:
    return " " * indent

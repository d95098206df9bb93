"""Values of a list that are written into the text one by one: `",".join(str(i) for i in ids)`."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ormlift.sql.life.pure import acts
from ormlift.syntax import Module

_QUOTED = ("'%s'", "'{}'", "'{0}'")
Loop = ast.GeneratorExp | ast.ListComp


@dataclass(frozen=True)
class Spelled:
    """The list behind the text."""

    source: ast.expr  # the list
    loop: Loop | None = None  # what makes the values of its items, where they are not the items themselves
    value: ast.expr | None = None  # then: the value of one item
    quoted: bool = False  # each stood in quotes

    def said(self, module: Module) -> str:
        """The list of the values, as source text."""
        if self.loop is None or self.value is None:
            said = module.text(self.source)
            return f"list({said})" if isinstance(self.source, ast.GeneratorExp | ast.Call) else said
        (generator,) = self.loop.generators
        value = module.text(self.value)
        tests = "".join(f" if {module.text(test)}" for test in generator.ifs)
        source = f"{module.text(generator.target)} in {module.text(generator.iter)}{tests}"
        return f"[{f'str({value})' if self.quoted else value} for {source}]"


def spelled(node: ast.expr) -> Spelled | None:
    """The list whose values `",".join(..)` writes into the text; None where it is none."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(comma)), attr="join"), args=[made], keywords=[]):
            return _items(made) if comma.strip() == "," else None
        case _:
            return None


def _items(node: ast.expr) -> Spelled | None:
    match node:
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="str"), source], keywords=[]):
            return Spelled(source)
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
            return _items(inner)
        case ast.GeneratorExp(elt=elt, generators=[generator]) | ast.ListComp(elt=elt, generators=[generator]):
            value, quoted = _value(elt)
            if value is None or generator.is_async or acts(value) or any(acts(test) for test in generator.ifs):
                return None
            plain = not generator.ifs and not quoted and _is_item(value, generator.target)
            return Spelled(generator.iter) if plain else Spelled(generator.iter, node, value, quoted)
        case _:
            return None


def _is_item(value: ast.expr, target: ast.expr) -> bool:
    return isinstance(value, ast.Name) and isinstance(target, ast.Name) and value.id == target.id


def _value(node: ast.expr) -> tuple[ast.expr | None, bool]:
    """The value of which an item is the text, and whether it stands in quotes."""
    match node:
        case ast.Call(func=ast.Name(id="str"), args=[value], keywords=[]):
            return value, False
        case ast.JoinedStr(values=[ast.FormattedValue(value=value, conversion=-1, format_spec=None)]):
            return value, False
        case ast.JoinedStr(
            values=[
                ast.Constant(value="'"),
                ast.FormattedValue(value=value, conversion=-1, format_spec=None),
                ast.Constant(value="'"),
            ]
        ):
            return value, True
        case ast.BinOp(left=ast.Constant(value="'%s'"), op=ast.Mod(), right=value):
            return (value, True) if not isinstance(value, ast.Tuple) else (None, True)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=[value]):
            return (value, text in _QUOTED) if text in ("{}", "{0}", *_QUOTED) else (None, False)
        case _:
            return None, False

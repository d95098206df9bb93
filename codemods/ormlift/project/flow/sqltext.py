"""Whether a piece of SQL text only reads, as far as its beginning tells."""

from __future__ import annotations

import ast
import re

_READS = re.compile(r"\s*\(*\s*(select|explain|show|describe|values|with|pragma)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(insert|update|delete|merge|replace|call|into)\b", re.IGNORECASE)


def literal_start(node: ast.expr) -> str:
    """The text of a literal, or all literal parts of an f-string or concatenation that begins with one; else empty."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(), *_]):
            return " ? ".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
        case ast.BinOp(left=left):
            return literal_start(left)
        case ast.Call(func=ast.Attribute(value=base, attr="format" | "strip")):
            return literal_start(base)
        case _:
            return ""


def reads_only(text: str) -> bool:
    """Whether the statement only reads. Empty text: unknown, so no."""
    found = _READS.match(text)
    if not found:
        return False
    word = found[1].lower()
    if word == "pragma":
        return "=" not in text
    return word == "select" or not _WRITES.search(text)

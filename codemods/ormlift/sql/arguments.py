"""What the source text of a parameter says about its value: its Python type, and whether it may be None."""

from __future__ import annotations

import ast
from dataclasses import replace

from ormlift.sql.statement import Argument

_CALLS = {
    "str": "str", "repr": "str", "int": "int", "len": "int", "float": "float", "bool": "bool", "bytes": "bytes",
    "Decimal": "Decimal", "json.dumps": "str", "datetime.now": "datetime", "datetime.utcnow": "datetime",
    "datetime.datetime.now": "datetime", "datetime.datetime.utcnow": "datetime", "date.today": "date",
    "datetime.date.today": "date", "time.time": "float", "uuid.uuid4": "UUID", "uuid4": "UUID", "round": "",
    "datetime.fromisoformat": "datetime", "datetime.strptime": "datetime", "datetime.fromtimestamp": "datetime",
    "os.path.join": "str", "os.path.basename": "str", "os.getenv": "", "sqlite3.Binary": "bytes",
}  # fmt: skip
_METHODS = {
    "isoformat": "str", "strftime": "str", "lower": "str", "upper": "str", "strip": "str", "join": "str",
    "format": "str", "hexdigest": "str", "encode": "bytes", "decode": "str", "replace": "", "title": "str",
    "total_seconds": "float", "as_posix": "str", "timestamp": "float",
}  # fmt: skip
_DATETIMES = ("datetime", "date", "timedelta")


def completed(argument: Argument) -> Argument:
    """The argument with the type and None-ness that its own text shows, where it is not known yet."""
    try:
        node = ast.parse(argument.text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return argument
    shown = python_type(node)
    kind = argument.type or shown
    never_none = shown not in ("", "None")  # a type that is known otherwise may come with a default of None
    return replace(argument, type=kind, may_be_none=kind == "None" or (argument.may_be_none and not never_none))


def python_type(node: ast.expr) -> str:
    """The name of the type of an expression's value, empty where its text does not show it."""
    match node:
        case ast.Constant(value=value):
            return "None" if value is None else type(value).__name__
        case ast.JoinedStr():
            return "str"
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return python_type(operand)
        case ast.Dict() | ast.DictComp():
            return "dict"
        case ast.List() | ast.ListComp():
            return "list"
        case ast.IfExp(body=body, orelse=orelse):
            left, right = python_type(body), python_type(orelse)
            return left if left == right else ""
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(python_type(left), op, python_type(right))
        case ast.Call(func=func):
            return _call(func)
        case _:
            return ""


def _binary(left: str, op: ast.operator, right: str) -> str:
    if isinstance(op, ast.Mod | ast.Add) and "str" in (left, right) and (left == "str" or isinstance(op, ast.Add)):
        return "str"
    if left == "datetime" and isinstance(op, ast.Add | ast.Sub) and right != "datetime":
        return "datetime"
    if left == right == "int" and isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod):
        return "int"
    return "float" if {left, right} <= {"int", "float"} and "float" in (left, right) else ""


def _call(func: ast.expr) -> str:
    text = ast.unparse(func)
    if text in _CALLS:
        return _CALLS[text]
    return _METHODS.get(func.attr, "") if isinstance(func, ast.Attribute) else ""


def dumped(text: str) -> str:
    """The `x` of `json.dumps(x)`, empty for anything else."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("json.dumps", "dumps"):
        return ""
    return ast.unparse(node.args[0]) if len(node.args) == 1 and not node.keywords else ""

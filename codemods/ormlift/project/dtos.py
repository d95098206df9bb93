"""Reads Pydantic models of one file: their fields, whether they are read from attributes, what they are built on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift.project.bodies import flat
from ormlift.project.columns import called, last, unquoted
from ormlift.syntax import FunctionNode, Module, dotted

_OPTIONS = ("from_attributes", "orm_mode")
_VALIDATORS = frozenset({"validator", "field_validator", "model_validator", "root_validator"})


@dataclass(frozen=True)
class Field:
    """One field as it is annotated."""

    name: str
    statement: ast.AnnAssign
    type: str = ""  # the bare name of its one type; empty where there are several, or it is another form
    optional: bool = False  # None is allowed
    aliases: tuple[str, ...] = ()


@dataclass
class Dto:
    """A Pydantic model, with what it inherits inside its file."""

    node: ast.ClassDef
    fields: dict[str, Field] = field(default_factory=dict)
    own: list[Field] = field(default_factory=list)
    options: dict[str, ast.expr] = field(default_factory=dict)  # of its configuration
    config: list[tuple[str, ast.expr, ast.AST]] = field(default_factory=list)  # its own: name, value, where it stands
    validated: set[str] = field(default_factory=set)  # fields that validators look at; `*`: any
    complete: bool = True  # false: a base could not be read
    is_base: bool = False  # other models of the file build on it
    computed: set[str] = field(default_factory=set)  # methods and properties

    @property
    def from_attributes(self) -> bool:
        """Whether it is meant to be read from instances."""
        values = (self.options.get(name) for name in _OPTIONS)
        return any(isinstance(v, ast.Constant) and v.value is True for v in values)


def read_dtos(module: Module) -> list[Dto]:
    """The Pydantic models at module level, in source order."""
    known: dict[str, Dto] = {}
    for node in flat(module.tree.body):
        if isinstance(node, ast.ClassDef) and node.bases and _is_model(node, known, module):
            dto = Dto(node)
            for base in reversed(node.bases):
                name = dotted(base.value if isinstance(base, ast.Subscript) else base)
                _inherit(dto, name, known, module)
            _read_body(dto, module)
            known[node.name] = dto
    return list(known.values())


def _is_model(node: ast.ClassDef, known: dict[str, Dto], module: Module) -> bool:
    names = [dotted(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases]
    return any(name in known or _is_base_model(name, module) for name in names)


def _is_base_model(name: str, module: Module) -> bool:
    head, _, rest = name.partition(".")
    target = module.imports.get(head, "")
    return (f"{target}.{rest}" if rest else target) in ("pydantic.BaseModel", "pydantic.main.BaseModel")


def _inherit(dto: Dto, name: str, known: dict[str, Dto], module: Module) -> None:
    base = known.get(name)
    if base is not None:
        base.is_base = True
        dto.fields |= base.fields
        dto.options |= base.options
        dto.validated |= base.validated
        dto.computed |= base.computed
        dto.complete = dto.complete and base.complete
    elif not _is_base_model(name, module) and last(name) not in ("Generic", "ABC", "Enum", "object"):
        dto.complete = False


def _read_body(dto: Dto, module: Module) -> None:
    for statement in dto.node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if name != "model_config":
                if (
                    last(dotted(annotation.value if isinstance(annotation, ast.Subscript) else annotation))
                    != "ClassVar"
                ):
                    read = _read_field(name, statement, module)
                    dto.fields[name] = read
                    dto.own.append(read)
            case (
                ast.Assign(targets=[ast.Name(id="model_config")], value=value)
                | ast.AnnAssign(target=ast.Name(id="model_config"), value=ast.expr() as value)
            ):
                _read_options(dto, value)
            case ast.ClassDef(name="Config", body=body):
                for inner in body:
                    if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                        dto.config.append((inner.targets[0].id, inner.value, inner))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                _read_method(dto, statement)
            case _:
                pass
    for keyword in dto.node.keywords:
        if keyword.arg:
            dto.config.append((keyword.arg, keyword.value, keyword))
    dto.options |= {name: value for name, value, _ in dto.config}


def _read_options(dto: Dto, value: ast.expr) -> None:
    if isinstance(value, ast.Call):
        dto.config += [(k.arg, k.value, k) for k in value.keywords if k.arg]
    elif isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        dto.config += [(str(k.value), v, k) for k, v in pairs if isinstance(k, ast.Constant)]


def _read_method(dto: Dto, node: FunctionNode) -> None:
    dto.computed.add(node.name)
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = last(dotted(call.func if call else decorator))
        if name in _VALIDATORS:
            texts = [a.value for a in (call.args if call else []) if isinstance(a, ast.Constant)]
            dto.validated |= {str(t) for t in texts} if texts and name.endswith("validator") else {"*"}
            if name in ("model_validator", "root_validator"):
                dto.validated.add("*")


def _read_field(name: str, statement: ast.AnnAssign, module: Module) -> Field:
    kind, optional = field_type(statement.annotation)
    aliases: list[str] = []
    value = statement.value
    if isinstance(value, ast.Call) and called(value, module.imports) == "Field":
        given = [k.value for k in value.keywords if k.arg and "alias" in k.arg]
        aliases = [text for node in given for text in _alias_texts(node, module)]
        if any(k.arg and "alias" in k.arg and not isinstance(k.value, ast.Constant) for k in value.keywords):
            kind = ""
    return Field(name, statement, kind, optional, tuple(aliases))


def _alias_texts(node: ast.expr, module: Module) -> list[str]:
    """The names that an alias reads: one, or those of `AliasChoices("a", AliasPath("b", 0))`."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Call) and called(node, module.imports) == "AliasChoices":
        return [text for choice in node.args for text in _alias_texts(choice, module)]
    if isinstance(node, ast.Call) and called(node, module.imports) == "AliasPath" and node.args:
        return _alias_texts(node.args[0], module)
    return []


def field_type(node: ast.expr) -> tuple[str, bool]:
    """The bare name of an annotation's one type, and whether None is allowed."""
    node = unquoted(node)
    match node:
        case ast.Subscript(value=outer, slice=inner) if last(dotted(outer)) == "Optional":
            return field_type(inner)[0], True
        case ast.Subscript(value=outer, slice=ast.Tuple(elts=members)) if last(dotted(outer)) == "Union":
            return _union(members)
        case ast.Subscript(value=outer) if last(dotted(outer)) in ("Annotated", "Literal", "Type"):
            return "", True
        case ast.Subscript(value=outer):
            return last(dotted(outer)), False
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union(list(_members(left)) + list(_members(right)))
        case ast.Constant(value=None):
            return "", True
    name = last(dotted(node))
    return name, name in ("Any", "object", "None")


def _members(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _members(node.left)
        yield from _members(node.right)
    else:
        yield node


def _union(members: list[ast.expr]) -> tuple[str, bool]:
    kept = [m for m in members if not (isinstance(m, ast.Constant) and m.value is None)]
    read = [field_type(m) for m in kept]
    optional = len(kept) < len(members) or any(o for _, o in read)
    return (read[0][0] if len(read) == 1 else ""), optional

"""Parameters that are names as far as the file shows: by their default, and by what calls in the file pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import RefusedForCallers
from ormlift.syntax import FunctionNode, Module, dotted


def assumed(name: ast.Name, life: Life) -> tuple[str, ...] | None:
    """The names that a parameter with a default takes; None where something else is passed, or may be."""
    definitions = life.flow.of(name)
    if not definitions or not all(isinstance(d, ast.arg) for d in definitions) or name.id in life.flow.captured:
        return None
    found = list(given_to(name.id, life))
    texts = [node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if len(texts) < len(found) or name.id not in _defaults(life) or not all(text.isidentifier() for text in texts):
        return None
    life.assumed[name.id] = tuple(dict.fromkeys(texts))
    return life.assumed[name.id]


def given_to(name: str, life: Life) -> Iterator[ast.expr]:
    """What a parameter of the function takes: its default, and what calls in the file pass."""
    if not isinstance(life.host, FunctionNode):
        return
    defaults = _defaults(life)
    if name in defaults:
        yield defaults[name]
    yield from _passed(name, life.host, life.module)


def _passed(name: str, host: FunctionNode, module: Module) -> Iterator[ast.expr]:
    """What the calls of one file pass for a parameter of a function."""
    names = [a.arg for a in (*host.args.posonlyargs, *host.args.args)]
    place = names.index(name) - (names[:1] in (["self"], ["cls"])) if name in names else len(names)
    for call in module.calls:
        if dotted(call.func).rpartition(".")[2] == host.name:
            yield from (k.value for k in call.keywords if k.arg == name or k.arg is None)
            yield from (a for n, a in enumerate(call.args) if n == place or isinstance(a, ast.Starred))


def _defaults(life: Life) -> dict[str, ast.expr]:
    assert isinstance(life.host, FunctionNode)
    arguments = life.host.args
    listed = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    found = dict(zip(listed[::-1], arguments.defaults[::-1], strict=False))
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found | {a.arg: default for a, default in named if default is not None}


def assumed_effects(life: Life, line: int, index: ProjectIndex) -> Iterator[Effect]:
    """What is assumed of them. Raises Refused where another file may pass something else."""
    other = _passed_elsewhere(life, index) if life.assumed else ""
    if other:
        message = f"{' and '.join(sorted(life.assumed))} of the SQL may be another text: the function {other}"
        raise RefusedForCallers("dynamic-sql", f"{message}; choose the column from a dict or tuple of names")
    for name, texts in sorted(life.assumed.items()):
        words = " or ".join(f'"{text}"' for text in texts)
        message = (
            f"{name} is {words} as far as this file shows: what is no attribute of the model raises AttributeError"
        )
        yield Effect("open-name", line, f"{message} now, and no SQL in it is executed")


def _passed_elsewhere(life: Life, index: ProjectIndex) -> str:
    """What another file does with the function, unless all that it passes is seen to be one of the names."""
    host, module, imports = life.host, life.module, index.imports
    if not isinstance(host, FunctionNode) or module.enclosing_function(host) is not None or not imports.files:
        return ""
    path, is_method = module.source.path, module.enclosing_class(host) is not None
    mentions = index.named.elsewhere(host.name, path)
    if mentions is None:
        return "may be used in other files, which were not looked at"
    for mention in mentions:
        reaches = imports.leads_to(mention.path, path)
        uses = mention.loose or reaches if is_method else mention.loose and reaches
        other = index.texts.module(mention.path)
        if (uses or imports.takes_from(mention.path, path)) and not (other and _passes_names(life, host, other)):
            return f"is used in {mention.path} too"
    return "may be used by a file that imports all of this one" if imports.takes_all(path) else ""


def _passes_names(life: Life, host: FunctionNode, other: Module) -> bool:
    """Whether a file does no more with the function than to import and call it, by its own name and with the names."""
    uses: list[ast.expr] = [n for n in other.nodes(ast.Name) if n.id == host.name]
    uses += [n for n in other.nodes(ast.Attribute) if n.attr == host.name]
    around = [other.parents[use] for use in uses]
    if not all(isinstance(call, ast.Call) and call.func in uses for call in around):
        return False
    imported = [a for statement in other.nodes(ast.ImportFrom) for a in statement.names if a.name == host.name]
    if any(a.asname for a in imported) or any(n.value == host.name for n in other.nodes(ast.Constant)):
        return False
    given = [(name, node) for name in life.assumed for node in _passed(name, host, other)]
    return all(isinstance(node, ast.Constant) and node.value in life.assumed[name] for name, node in given)

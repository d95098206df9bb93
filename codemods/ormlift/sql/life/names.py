"""What names are free in a function, and how the file says what the new text needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from ormlift.model import ImportNeed
from ormlift.project.escape.choice import bound_in
from ormlift.schema import MappedClass
from ormlift.sql.life.model import Host, Life
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import FunctionNode, Module, import_targets, module_level

SESSION_NAMES = ("session", "db_session_", "orm_session", "session_")
ROW_NAMES = ("row", "found", "row_")
RESULT_NAMES = ("result", "query_result", "db_result", "result_")
ROWCOUNT_NAMES = ("rowcount", "affected", "row_count", "rowcount_")
LASTROWID_NAMES = ("inserted_id", "new_id", "lastrowid", "inserted_id_")
_SQLALCHEMY = [
    "select",
    "insert",
    "update",
    "delete",
    "func",
    "text",
    "and_",
    "or_",
    "not_",
    "case",
    "cast",
    "literal",
    "literal_column",
    "exists",
    "distinct",
    "null",
    "true",
    "false",
    "union",
    "union_all",
    "tuple_",
    "extract",
    "asc",
    "desc",
    "between",
    "bindparam",
    "column",
    "over",
    "type_coerce",
    "String",
    "Integer",
]


def free_name(candidates: Iterable[str], life: Life, taken: Iterable[str] = (), lines: tuple[int, int] = (0, 0)) -> str:
    """The first of `candidates` that means nothing in the function yet, or only in with blocks beside `lines`."""
    used = set(taken)
    listed = list(candidates)
    for name in listed:
        if name not in used and _is_free(name, life, lines):
            return name
    message = f"the names {', '.join(listed)} are all taken in this function; rename one"
    raise Refused("name-taken", message)


def _is_free(name: str, life: Life, lines: tuple[int, int]) -> bool:
    nodes = [n for n in ast.walk(life.host) if _means(n, name)]
    if not nodes:
        return True
    blocks = [n for n in ast.walk(life.host) if isinstance(n, ast.With) and _binds(n, name)]
    apart = all(b.lineno > lines[1] or (b.end_lineno or 0) < lines[0] for b in blocks)
    return apart and all(_within(n, blocks, life.module) for n in nodes)


def _means(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(id=found) | ast.arg(arg=found) | ast.FunctionDef(name=found) | ast.ClassDef(name=found):
            return found == name
        case ast.alias(name=found, asname=alias):
            return name == (alias or found.partition(".")[0])
        case ast.ExceptHandler(name=found):
            return found == name
        case _:
            return False


def _binds(block: ast.With, name: str) -> bool:
    return any(isinstance(i.optional_vars, ast.Name) and i.optional_vars.id == name for i in block.items)


def _within(node: ast.AST, blocks: list[ast.With], module: Module) -> bool:
    around = set(module.ancestors(node))
    return any(block in around for block in blocks)


def said_names(life: Life, models: Iterable[MappedClass]) -> Mapping[str, str]:
    """How the file says the dotted targets that new text may need, where it can already."""
    bound = _early_imports(life)
    if isinstance(life.host, FunctionNode):
        module = life.module
        bound = {**{n: t for n, t in module.imports.items() if n not in module.typing_imports}, **bound}
    said: dict[str, str] = {}
    for alias, target in bound.items():
        if target in ("sqlalchemy", "sqlalchemy.orm"):
            said |= {f"sqlalchemy.{n}": f"{alias}.{n}" for n in _SQLALCHEMY}
    said |= {f"sqlalchemy.{n}": a for n in _SQLALCHEMY for a, t in bound.items() if t in _spellings(n)}
    for model in models:
        name = _model_name(model, bound, life) or _through_module(model, life)
        if name:
            said[f"{model.module}.{model.name}"] = name
    return said


def _spellings(name: str) -> tuple[str, ...]:
    dialects = ("sqlite", "postgresql", "mysql") if name == "insert" else ()  # theirs can do what the plain one can
    return (
        *(f"sqlalchemy.dialects.{dialect}.insert" for dialect in dialects),
        f"sqlalchemy.{name}",
        f"sqlalchemy.sql.{name}",
        f"sqlalchemy.sql.expression.{name}",
        f"sqlalchemy.future.{name}",
    )


def _early_imports(life: Life) -> dict[str, str]:
    """Imports inside the function (or module) that have surely run before the connection is opened."""
    found: dict[str, str] = {}
    around = [life.origin, *(a for a in life.module.ancestors(life.origin) if isinstance(a, ast.stmt))]
    for statement in around:
        if statement is life.host:
            break
        suite = life.module.suite(statement)
        for before in suite[: suite.index(statement)]:
            found |= import_targets(before)
    return found


def _model_name(model: MappedClass, bound: Mapping[str, str], life: Life) -> str:
    """The model by a name that the file has: its own, imported by name, or through its module."""
    if model.path == life.module.source.path:
        return model.name
    full = f"{model.module}.{model.name}"
    for alias, target in bound.items():
        if _same(target, full):
            return alias
    for alias, target in bound.items():
        if _same(target, model.module) and target.lstrip("."):
            return f"{alias}.{model.name}"
    for alias, target in bound.items():
        if target.rpartition(".")[2] == model.name and _is_package_of(target.rpartition(".")[0], model):
            return alias
    return ""


def _through_module(model: MappedClass, life: Life) -> str:
    """`models.Job`, where something else is called `Job`; empty where the name is free, or both are taken."""
    own = life.flow.definitions if isinstance(life.host, FunctionNode) else ()
    imported = life.module.imports.keys() - life.module.typing_imports
    taken = {*module_names(life.module), *imported, *own}
    home = model.module.rpartition(".")[2]
    return f"{home}.{model.name}" if model.name in taken and home not in taken else ""


def model_needs(life: Life, models: Iterable[MappedClass], names: Mapping[str, str]) -> Iterator[ImportNeed]:
    """The imports of modules through which models are named."""
    for model in models:
        if names.get(f"{model.module}.{model.name}") == _through_module(model, life) != "":
            package, _, home = model.module.rpartition(".")
            yield ImportNeed(package, home) if package else ImportNeed(home)


def _is_package_of(package: str, model: MappedClass) -> bool:
    """Whether a name imported from a package is the model defined in a module inside it: a re-export."""
    parts = tuple(p for p in package.split(".") if p)
    home = tuple(model.module.split("."))
    inside = any(home[i : i + len(parts)] == parts for i in range(len(home)))
    return inside if parts else package.startswith(".")


def _same(one: str, other: str) -> bool:
    """Whether two dotted names may be one: relative imports and source roots leave off the front."""
    first, second = one.lstrip("."), other.lstrip(".")
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def module_names(module: Module) -> set[str]:
    """Names that the file itself defines at module level."""
    found: set[str] = set()
    for statement in module_level(module.tree):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return found


def check_hidden(texts: Iterable[str], said: Iterable[str], life: Life) -> None:
    """Refuse where a name of the new text means something local where it will stand. Raises Refused."""
    roots = {name.partition(".")[0] for name in said}
    used = {n.id for t in texts for n in ast.walk(ast.parse(t.strip())) if isinstance(n, ast.Name)}
    for name in sorted(used & roots):
        if _is_hidden(name, life):
            message = f"{name} is a local name here, and the new text needs what it is called outside; rename it"
            raise Refused("name-taken", message)


def _is_hidden(name: str, life: Life) -> bool:
    local = life.flow.definitions.get(name, set()) if isinstance(life.host, FunctionNode) else set()
    if any(not isinstance(node, ast.Import | ast.ImportFrom) for node in local):
        return True
    if local:
        return False
    functions = [a for a in life.module.ancestors(life.host) if isinstance(a, FunctionNode)]
    bound = [f for f in functions if name in bound_in(f) and name not in life.module.local_imports(f)]
    lambdas = [n for n in ast.walk(life.host) if isinstance(n, ast.Lambda)]
    return bool(bound) or any(a.arg == name for la in lambdas for a in ast.walk(la.args) if isinstance(a, ast.arg))


def check_imports(needs: Iterable[ImportNeed], life: Life) -> None:
    """Refuse where a needed name means something else where the new text stands."""
    host: Host = life.host
    for need in needs:
        name = need.name or need.module.partition(".")[0]
        definitions = life.flow.definitions.get(name, set()) if isinstance(host, FunctionNode) else set()
        if definitions:
            message = f"{name} is a local name of this function, and the new text needs {need.module}.{name}; rename it"
            raise Refused("name-taken", message)
        bound = life.module.imports.get(name)
        if bound is not None and not isinstance(host, FunctionNode) and name not in _early_imports(life):
            message = f"{name} is imported behind the lines that need it now; move that import to the top of the file"
            raise Refused("name-taken", message)
        if bound is None and name in module_names(life.module):
            message = f"{name} is defined in this file, and the new text needs {need.module}.{name}; rename it"
            raise Refused("name-taken", message)
        if bound is not None and not _same(bound, f"{need.module}.{name}"):
            message = f"{name} is imported from {bound} in this file, and the new text needs {need.module}.{name}"
            raise Refused("name-taken", message)

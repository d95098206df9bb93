"""SQL that is put together step by step: a statement, and `sql += " AND .."` with its parameters, under `if`s.

Read here as a base and its steps. Nothing else may touch the text or the dict of parameters, and what a step appends
has its parameters set right beside it: then each step can add its conditions to a query in the very same place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from ormlift.sql.life.literals import is_stable, parameters, sql_text
from ormlift.sql.life.pure import acts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.text import has_comment
from ormlift.sql.textual.clause import is_text
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.ways import is_known
from ormlift.sql.versions import older, refusal
from ormlift.syntax import FunctionNode, Module, dotted

MOST = 64  # ways through the branches, each of which has a certificate of its own
_LOGS = frozenset(["print", "debug", "info", "warning", "error", "exception", "critical"])
_ADVICE = "write each statement as one literal, or build a select() step by step"


@dataclass(eq=False)
class Step:
    """Consecutive statements that append to the text and set parameters."""

    statements: list[ast.stmt] = field(default_factory=list)
    sql: str = ""
    given: dict[int | str, ast.expr] = field(default_factory=dict)  # by name, or by place among those of this step

    @property
    def line(self) -> int:
        """The first line."""
        return self.statements[0].lineno


@dataclass(eq=False)
class Choice:
    """An `if` whose branches hold steps."""

    branches: list[list[Step | Choice]]


Part = Step | Choice


@dataclass(eq=False)
class Steps:
    """The base of a text, and all that is appended to it."""

    name: str  # the variable of the text
    place: ast.stmt  # where the base is known with its parameters
    gone: list[ast.stmt]  # what has no use any more
    base: Step
    parts: list[Part]
    shown: list[ast.stmt] = field(default_factory=list)  # what logs the text or its parameters
    kept: frozenset[ast.stmt] = frozenset()  # what sets the parameters, and stays since they are logged

    def paths(self) -> list[tuple[Step, ...]]:
        """The steps of each way through the branches, in order."""
        return _paths(self.parts)

    def steps(self) -> Iterator[Step]:
        """Every step once."""
        yield from dict.fromkeys(step for path in self.paths() for step in path)


def steps_of(site: Textual, version: str, style: str = "named", dialect: str = "sqlite") -> Steps | None:
    """How the text of a site is put together; None where it is not appended to. Raises Refused."""
    name = _variable(site, bare=style != "named")
    if name is None or not isinstance(site.life.host, FunctionNode):
        return None
    if not any(_appended(d, name.id, site) for d in site.life.flow.of(name)):
        return None
    if older(version, "1.4"):
        raise Refused(*refusal(version, "A statement that is built step by step", "1.4"))
    found = (_Reader(site, name) if style == "named" else _Positional(site, name, style, dialect)).read()
    if len(found.paths()) > MOST:
        raise _refused(f"the SQL on line {site.line} is put together in more than {MOST} ways")
    return found


def _appended(definition: ast.AST, name: str, site: Textual) -> bool:
    return isinstance(definition, ast.Name) and _appends(site.module.statement(definition), name) is not None


def _variable(site: Textual, *, bare: bool) -> ast.Name | None:
    """`sql` of `execute(text(sql), ..)`, or of a cursor's `execute(sql, ..)`."""
    clause = site.call.args[0] if site.call.args else None
    if bare:
        return clause if isinstance(clause, ast.Name) else None
    if isinstance(clause, ast.Call) and is_text(clause, site.module) and len(clause.args) == 1:
        return clause.args[0] if isinstance(clause.args[0], ast.Name) and not clause.keywords else None
    return None


def _appends(statement: ast.stmt, name: str) -> ast.expr | None:
    """What `sql += ..` or `sql = sql + ..` appends."""
    match statement:
        case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=value) if target == name:
            return value
        case ast.Assign(
            targets=[ast.Name(id=target)], value=ast.BinOp(left=ast.Name(id=left), op=ast.Add(), right=value)
        ) if target == left == name:
            return value
        case _:
            return None


def _assigned(statement: ast.stmt, name: str) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            return value
        case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
            return value
        case _:
            return None


def _paths(parts: Sequence[Part]) -> list[tuple[Step, ...]]:
    paths: list[tuple[Step, ...]] = [()]
    for part in parts:
        if isinstance(part, Step):
            paths = [(*path, part) for path in paths]
        else:
            ways = [way for branch in part.branches for way in _paths(branch)]
            paths = [(*path, *way) for path, way in product(paths, ways)]
        if len(paths) > MOST:
            return paths
    return paths


def _refused(message: str) -> Refused:
    return Refused("dynamic-sql", f"{message}; {_ADVICE}")


def _check_comment(statement: ast.stmt, module: Module) -> None:
    if has_comment(statement, module):
        message = f"a comment stands inside the statement on line {statement.lineno}; move it above"
        raise Refused("unusual-layout", message)


class _Reader:
    """Reads the steps of one text."""

    def __init__(self, site: Textual, name: ast.Name) -> None:
        self.site, self.module, self.flow = site, site.module, site.life.flow
        self.name = name
        self.holder: ast.Name | None = None  # the variable of the parameters
        self.read_at: set[ast.AST] = {name}  # where the two variables may be read
        self.shown: list[ast.stmt] = []  # what logs them

    def read(self) -> Steps:
        """All of it, or Refused."""
        suite, end = self._suite()
        start = next(n for n in reversed(range(end)) if self._is_base(suite[n]))
        first = suite[start]
        value = _assigned(first, self.name.id)
        assert value is not None
        base = Step([first], self._text(value))
        holder = self._parameters(base, suite[:end])
        _check_comment(first, self.module)
        both = sorted([start, *([suite.index(holder)] if holder is not None else [])])
        if len(both) == 2 and both[1] - both[0] > 1:
            self._check_stable(base.given.values(), first.lineno)
        middle = [s for s in suite[both[0] + 1 : end] if s is not holder and s is not first]
        parts = self._parts(middle)
        place = suite[both[-1]]
        if any(step.line < place.lineno for path in _paths(parts)[:MOST] for step in path):
            raise _refused(f"the SQL of line {first.lineno} is appended to before its parameters are set")
        gone = [s for s in (first, holder) if s is not None and s is not place]
        self._check_alone([first, *([holder] if holder is not None else [])])
        found = Steps(self.name.id, place, gone, base, parts, self.shown)
        self._check_values(found)
        return replace(found, kept=self._kept(found)) if self.shown else found

    def _kept(self, found: Steps) -> frozenset[ast.stmt]:
        """The statements that set parameters, where those are logged."""
        early = next((s.lineno for s in self.shown if s.lineno < found.place.lineno), 0)
        if early:
            raise _refused(f"line {early} logs the SQL before its parameters are set")
        holder = self.holder.id if self.holder is not None else ""
        if not any(isinstance(n, ast.Name) and n.id == holder for s in self.shown for n in ast.walk(s)):
            return frozenset()
        steps = [found.base, *found.steps()]
        if any(acts(value) for step in steps for value in step.given.values()):
            raise _refused(f"{holder} is logged, and holds what a call gives, which would be called twice")
        return frozenset(s for step in steps for s in step.statements if self._is_of(s, holder))

    def _is_of(self, statement: ast.stmt, holder: str) -> bool:
        """Whether a statement makes the parameters, or sets one."""
        return _assigned(statement, holder) is not None or self._sets(statement, 0) is not None

    def _suite(self) -> tuple[list[ast.stmt], int]:
        """The statements among which the text begins, and the place of the one that holds the site."""
        statement: ast.AST = self.module.statement(self.site.call)
        while statement is not self.site.life.host:
            if isinstance(statement, ast.stmt):
                suite = self.module.suite(statement)
                end = suite.index(statement)
                if any(self._is_base(s) for s in suite[:end]):
                    return suite, end
            statement = self.module.parents[statement]
        raise _refused(f"where the SQL of line {self.site.line} begins cannot be told for each branch")

    def _is_base(self, statement: ast.stmt) -> bool:
        return _assigned(statement, self.name.id) is not None and _appends(statement, self.name.id) is None

    def _text(self, node: ast.expr) -> str:
        text = sql_text(node, self.site.life)
        if text is None or text.variables:
            raise _refused(f"what line {node.lineno} adds to the SQL is no literal")
        if any(mark in text.value for mark in self.site.life.holes):
            raise _refused(f"a value is put into the SQL on line {node.lineno}; pass it as a parameter")
        return text.value

    # Parameters

    def _parameters(self, base: Step, suite: list[ast.stmt]) -> ast.stmt | None:
        """Read what the base is given; the statement that makes the dict, where it has a variable."""
        call = self.site.call
        if len(call.args) > 2 or call.keywords:
            raise _refused(f"line {call.lineno} passes more than the SQL and its parameters")
        node = self._holder(call.args[1]) if len(call.args) == 2 else None
        if isinstance(node, ast.Name):
            made = next((s for s in reversed(suite) if _assigned(s, node.id) is not None), None)
            value = _assigned(made, node.id) if made is not None else None
            given = self._made(value) if value is not None else None
            if given is None or made is None:
                raise _refused(f"{node.id} on line {call.lineno} is no {self.kind} that is written beside the SQL")
            _check_comment(made, self.module)
            self.holder, base.given = node, given
            self.read_at.add(node)
            base.statements.append(made)
            return made
        passed = parameters(call, self.site.life)
        if passed is None or passed.many or set(passed.nodes) != set(passed.texts) or not self._fits(passed.nodes):
            raise _refused(f"the parameters of line {call.lineno} are not set beside what they belong to")
        base.given = dict(passed.nodes)
        if not all(is_known(value, base.statements[0], self.site) for value in base.given.values()):
            raise _refused(f"the parameters of line {call.lineno} may not be known yet on line {base.line}")
        return None

    def _check_stable(self, nodes: Iterable[ast.expr], line: int) -> None:
        if not all(is_stable(node, self.site.life, self.site.call) for node in nodes):
            raise _refused(f"a parameter of the SQL of line {line} may be another where its condition stands")

    # Steps

    def _parts(self, suite: Sequence[ast.stmt]) -> list[Part]:
        parts: list[Part] = []
        run = Step()
        for statement in suite:
            if self._adds(statement, run):
                run.statements.append(statement)
                if len(run.statements) == 1:
                    parts.append(run)
                continue
            run = Step()
            if self._mentions(statement) and self._shows(statement):
                self._show(statement)
            elif self._mentions(statement):
                parts.append(self._choice(statement))
        for part in parts:
            if isinstance(part, Step) and not part.sql:
                raise _refused(f"the parameter of line {part.line} does not stand beside the SQL that it is for")
        return parts

    def _adds(self, statement: ast.stmt, run: Step) -> bool:
        """Whether a statement is of a step, which it is added to."""
        added = _appends(statement, self.name.id)
        if added is not None:
            run.sql += self._text(added)
            self.read_at |= {n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == self.name.id}
        else:
            found = self._sets(statement, len(run.given))
            if found is None or self.holder is None or found[0].id != self.holder.id:
                return False
            if set(found[1]) & set(run.given):
                raise _refused(f"line {statement.lineno} sets a parameter once more")
            run.given.update(found[1])
            self.read_at |= {n for n in ast.walk(statement) if n is found[0]}
        _check_comment(statement, self.module)
        return True

    def _mentions(self, node: ast.AST) -> bool:
        names = {self.name.id, self.holder.id if self.holder is not None else ""}
        return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))

    def _show(self, statement: ast.stmt) -> None:
        self.shown += [statement] if statement not in self.shown else []
        self.read_at |= {n for n in ast.walk(statement) if isinstance(n, ast.Name)}

    def _shows(self, statement: ast.stmt) -> bool:
        """`logger.debug(f"{sql} {params}")`, `print(sql)`: what is logged is what str() gives."""
        match statement:
            case ast.Expr(value=ast.Call(func=func) as call) if dotted(func).rpartition(".")[2] in _LOGS:
                names = {self.name.id, self.holder.id if self.holder is not None else ""}
                reads = [n for n in ast.walk(call) if isinstance(n, ast.Name) and n.id in names]
                return all(n in call.args or self._is_formatted(n) for n in reads)
            case _:
                return False

    def _is_formatted(self, name: ast.Name) -> bool:
        parent = self.module.parents[name]
        return isinstance(parent, ast.FormattedValue) and parent.conversion in (-1, 115) and parent.format_spec is None

    def _choice(self, statement: ast.stmt) -> Choice:
        if not isinstance(statement, ast.If) or self._mentions(statement.test):
            line = statement.lineno
            if isinstance(statement, ast.For | ast.AsyncFor | ast.While):
                raise _refused(f"the loop on line {line} adds to the SQL")
            raise _refused(f"line {line} does more with the SQL or its parameters than to append to them")
        return Choice([self._parts(statement.body), self._parts(statement.orelse)])

    # How parameters are kept: by name in a dict

    kind = "dict"

    def _holder(self, node: ast.expr) -> ast.expr:
        return node

    def _made(self, node: ast.expr) -> dict[int | str, ast.expr] | None:
        return _dict(node)

    def _fits(self, keys: Iterable[int | str]) -> bool:
        return all(isinstance(key, str) for key in keys)

    def _sets(self, statement: ast.stmt, number: int) -> tuple[ast.Name, dict[int | str, ast.expr]] | None:  # noqa: ARG002
        """The variable, and what a statement sets of it."""
        match statement:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name() as read, slice=ast.Constant(value=str(key)))], value=value
            ):
                return read, {key: value}
            case _:
                return None

    # What must hold

    def _check_alone(self, made: list[ast.stmt]) -> None:
        """Refuse where the text or its parameters are used for more."""
        names = [n for n in (self.name, self.holder) if n is not None]
        for name in names:
            stores = [d for d in self.flow.definitions.get(name.id, ()) if isinstance(d, ast.Name)]
            ours = {d for d in stores if d in self.read_at or self.module.statement(d) in made}
            reads = [n for (n, key), d in self.flow.reaching.items() if key == name.id and ours & d]
            for statement in {self.module.statement(n) for n in reads if n not in self.read_at}:
                if self._shows(statement):
                    self._show(statement)
            other = next((n for n in reads if n not in self.read_at), None)
            line = getattr(other, "lineno", 0)
            if other is not None:
                raise _refused(f"{name.id} is used on line {line} too, for more than line {self.site.line}")
            if name.id in self.flow.captured or self._is_shared(name.id):
                raise _refused(f"{name.id} of line {self.site.line} is shared with other functions")
            if not self.flow.of(name) <= ours:
                raise _refused(f"{name.id} on line {self.site.line} may come from elsewhere")

    def _is_shared(self, name: str) -> bool:
        shared = (n for n in ast.walk(self.site.life.host) if isinstance(n, ast.Global | ast.Nonlocal))
        return any(name in node.names for node in shared)

    def _check_values(self, found: Steps) -> None:
        """Each step has its own parameters, and those of the base that stay the same."""
        from ormlift.sql.placeholders import placeholders

        used: set[int | str] = set()
        for step in [found.base, *found.steps()]:
            try:
                keys: set[int | str] = {p.key for p in placeholders(step.sql, "named", "sqlite")}
            except ValueError:
                raise _refused(f"what line {step.line} adds to the SQL is no piece that can be read alone") from None
            if set(step.given) - keys and step is not found.base:
                key = min(str(key) for key in set(step.given) - keys)
                raise _refused(f"the parameter {key} of line {step.line} does not stand beside the SQL that it is for")
            others = keys - set(step.given)
            if others - set(found.base.given):
                key = min(str(key) for key in others - set(found.base.given))
                raise _refused(f"the parameter {key} of line {step.line} is not set beside it")
            self._check_stable((found.base.given[key] for key in others), step.line)
            if sum(acts(value) for value in step.given.values()) > 1:
                raise _refused(f"several parameters of line {step.line} are calls, which could run in another order")
            used |= keys
        if set(found.base.given) - used:
            key = min(str(key) for key in set(found.base.given) - used)
            raise _refused(f"the parameter {key} is of no use to the SQL")


class _Positional(_Reader):
    """The same with the parameters in a list, each step's as many as it has placeholders."""

    kind = "list"

    def __init__(self, site: Textual, name: ast.Name, style: str, dialect: str) -> None:
        super().__init__(site, name)
        self.style, self.dialect = style, dialect

    def _holder(self, node: ast.expr) -> ast.expr:
        """`params` of `tuple(params)`."""
        match node:
            case ast.Call(func=ast.Name(id="tuple" | "list"), args=[inner], keywords=[]):
                return inner
            case _:
                return node

    def _made(self, node: ast.expr) -> dict[int | str, ast.expr] | None:
        if isinstance(node, ast.Call) and dotted(node.func) == "list" and not node.args and not node.keywords:
            return {}
        return _numbered(node, 0) if isinstance(node, ast.List) else None

    def _fits(self, keys: Iterable[int | str]) -> bool:
        return all(isinstance(key, int) for key in keys)

    def _sets(self, statement: ast.stmt, number: int) -> tuple[ast.Name, dict[int | str, ast.expr]] | None:
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name() as read, attr="append"), args=[value], keywords=[])
            ) if not isinstance(value, ast.Starred):
                return read, {number: value}
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name() as read, attr="extend"), args=[made], keywords=[])
            ):
                found = _numbered(made, number)
                return (read, found) if found is not None else None
            case _:
                return None

    def _check_values(self, found: Steps) -> None:
        if self.holder is None:
            self._hand_out(found)
        for step in [found.base, *found.steps()]:
            keys = self._keys(step)
            if keys != list(range(len(step.given))):
                if self.holder is None:
                    line = self.site.line
                    raise _refused(f"the parameters of line {line} are not set beside the SQL that they belong to")
                message = f"line {step.line} has {len(keys)} placeholders, and {len(step.given)} parameters beside it"
                raise _refused(message)
            if self.style != "qmark" and "%" in step.sql.replace("%s", ""):
                raise _refused(f"a percent sign stands in the SQL on line {step.line}")
            if sum(acts(value) for value in step.given.values()) > 1:
                raise _refused(f"several parameters of line {step.line} are calls, which could run in another order")

    def _keys(self, step: Step) -> list[int | str]:
        from ormlift.sql.placeholders import placeholders

        try:
            return [p.key for p in placeholders(step.sql, self.style, self.dialect)]
        except ValueError:
            raise _refused(f"what line {step.line} adds to the SQL is no piece that can be read alone") from None

    def _hand_out(self, found: Steps) -> None:
        """What the call passes goes to the steps by their placeholders, to each the same on every way."""
        passed = list(found.base.given.values())
        given: dict[Step, list[ast.expr]] = {}
        for path in found.paths():
            place = 0
            for step in (found.base, *path):
                own = passed[place : place + len(self._keys(step))]
                place += len(self._keys(step))
                if given.setdefault(step, own) != own:
                    raise _refused(f"line {step.line} takes other parameters on some way")
            if place != len(passed):
                return  # refused where they are counted
        for step, own in given.items():
            step.given = dict(enumerate(own))
            if step is not found.base:
                self._check_stable(own, step.line)


def _numbered(node: ast.expr, start: int) -> dict[int | str, ast.expr] | None:
    """The items of a list or tuple, numbered from `start`."""
    if not isinstance(node, ast.List | ast.Tuple) or any(isinstance(item, ast.Starred) for item in node.elts):
        return None
    return dict(enumerate(node.elts, start))


def _dict(node: ast.expr) -> dict[int | str, ast.expr] | None:
    """`{"a": a}`, `dict(a=a)`."""
    if isinstance(node, ast.Call) and dotted(node.func) == "dict" and not node.args:
        named: dict[int | str, ast.expr] = {k.arg: k.value for k in node.keywords if k.arg}
        return named if len(named) == len(node.keywords) else None
    if not isinstance(node, ast.Dict):
        return None
    keys: list[int | str] = [k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    return dict(zip(keys, node.values, strict=True)) if len(set(keys)) == len(node.keys) else None

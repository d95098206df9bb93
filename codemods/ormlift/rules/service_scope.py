"""Gives a service class a scope of its own, so that its sessions come from the session manager where there is one.

A service is built with something that hands out sessions (`self.db_manager`), and each method opens and closes one by
hand. Written by hand, the move to a session manager doubles every body: one under the manager's scope, one for where
there is no application around. Here the choice is made once, in a helper:

    [[tool.ormlift.scopes]]
    scope = "self._session_scope"                     # the helper; written where the class lacks it
    in-class-with = "db_manager"
    manager = "session_manager.get_db_session"        # the constructor's parameter, and its scope
    application = "flask:current_app.session_manager" # where it is found when none is given

The constructor takes the manager as one optional parameter more. The helper asks the manager that was given, else the
application's, else it opens and closes a session as the methods did. The methods' bodies are `session-scope`'s: once
the class has the helper, it hands each session to it, and writes no body twice.

A site is a class, found where one of its methods holds a session that the configured scope is meant for. A class that
has the manager's scope itself is the manager, and no site. Where the sessions come from is what changes, so that the
rewrite waits for --unsafe. The helper only closes where the old code's own session is opened, so a method's own
`commit()` stays where it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import (
    AddBehind,
    AddParameter,
    Effect,
    ImportNeed,
    Op,
    Reason,
    Refusal,
    Rewrite,
    ScopeChoice,
    Site,
)
from ormlift.project.choose import attributes_of, fits, surroundings
from ormlift.project.escape.sites import Form, Found, find_sessions, opened_sessions
from ormlift.project.kin import kin_of
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.service_scope import EXAMPLES
from ormlift.schema import SourceKind
from ormlift.syntax import FunctionNode, Module, dotted, every_node

ID = "service-scope"

_HELPER = '''\
@contextmanager
def {name}(self):
    """One session: of the session manager that was given{or_found}, else of {fallback}."""
    manager = getattr(self, "{attribute}", None)
{lookup}    opened = closing({opener}()) if manager is None else manager.{scope}()
    with opened as session:
        yield session
'''
_LOOKUP = """\
    if manager is None:
        try:
            manager = getattr({application}, "{kept}", None)
        except RuntimeError:  # outside of the application
            pass
"""


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every class that lacks the scope which its sessions are to be handed to."""
    choices = [c for c in context.settings.scopes if c.manager and c.expression.startswith("self.")]
    if not choices:
        return
    sessions = [f for f in find_sessions(module, context.index) if f.form is Form.NAMED]
    sessions += [found for found, _ in opened_sessions(module, context.index)]
    for owner in module.nodes(ast.ClassDef):
        inside = [f for f in sessions if module.enclosing_class(f.statement) is owner]
        for choice in choices:
            own = [f for f in inside if _is_meant(choice, f, module, context)]
            has = {s.name for s in owner.body if isinstance(s, FunctionNode)}
            own_or_manager = {choice.expression.partition(".")[2], choice.manager.partition(".")[2]}
            if own and not has & own_or_manager:
                yield _Class(module, context, owner, choice, own).site()


def _is_meant(choice: ScopeChoice, found: Found, module: Module, context: Context) -> bool:
    """Whether this is the scope that the configuration chooses for a session of the class's own source."""
    at, path = surroundings(module, found.statement), module.source.path
    first = next((c for c in context.settings.scopes if fits(c, path, at)), None)
    return first is choice and dotted(found.call.func).startswith(f"self.{choice.in_class_with}.")


@dataclass(frozen=True)
class _Class:
    """A service class, and what it is to get."""

    module: Module
    context: Context
    owner: ast.ClassDef
    choice: ScopeChoice
    sessions: list[Found]

    def site(self) -> Site:
        """The class with its helper, or why it does not get one."""
        built = next((s for s in self.owner.body if isinstance(s, FunctionNode) and s.name == "__init__"), None)
        if built is None:
            text = f"{self.owner.name} has no __init__ of its own to take a session manager"
            return self._refusal("no-constructor", f"{text}; write one, and run again")
        problem = self._problem(built)
        if isinstance(problem, Reason):
            return Refusal(ID, built.lineno, built.end_lineno or built.lineno, problem)
        source = self._source(built)
        if source is None:
            text = f"{self.owner.name}.__init__ does not plainly set self.{self.choice.in_class_with}"
            return self._refusal("constructor-unclear", f"{text}; write `self.{self.choice.in_class_with} = ..` there")
        if fixed := self._fixed(built):
            text = f"line {fixed.lineno} says which attributes {self.owner.name} may have"
            return self._refusal("fixed-attributes", f"{text}; let {self._parameter} be one of them, and set it")
        return self._rewrite(built, source)

    def _refusal(self, code: str, text: str) -> Refusal:
        return Refusal(ID, self.owner.lineno, self.owner.lineno, Reason(code, text))

    def _problem(self, built: FunctionNode) -> Reason | None:
        """What stands in the way of the helper, or None."""
        calls = sorted({self.module.text(f.call) for f in self.sessions})
        plain = all(f.kind is SourceKind.SESSION and not f.awaited and not f.call.args for f in self.sessions)
        if len(calls) > 1 or not plain:
            text = f"its methods open sessions by {' and '.join(calls)}, and the helper can open by one plain call"
            return Reason("several-openers", f"{text}; open them alike, or leave the class as it is")
        name, parameter = self.choice.expression.partition(".")[2], self._parameter
        taken = attributes_of(self.owner) | {getattr(s, "name", "") for s in self.owner.body}
        below = self.context.index.overridden.get(self.owner.name, frozenset())
        elsewhere = any(_sets_else(kin, parameter) for kin in self._kin())
        if name in taken | below or (parameter in taken and parameter not in _arguments(built)) or elsewhere:
            text = f"{self.owner.name}, or a class above or below it, gives {name} or {parameter} another meaning"
            return Reason("name-taken", f"{text}; configure other names")
        if built.args.vararg is not None and parameter not in _arguments(built):
            text = f"{self.owner.name}.__init__ takes *{built.args.vararg.arg}, so no parameter can be added to it"
            return Reason("constructor-unclear", f"{text}; add {parameter}=None by hand")
        return None

    def _kin(self) -> Iterator[ast.ClassDef]:
        """The classes above and below that set an attribute of the manager's name."""
        kin = kin_of(self.owner, self.module, self.context.index)
        return (known for known in kin if self._parameter in attributes_of(known))

    def _fixed(self, built: FunctionNode) -> ast.stmt | ast.expr | None:
        """What keeps the constructor from setting an attribute more: `__slots__`, or a `__setattr__` of its own."""
        if self._parameter in _arguments(built) and any(_kept_as(s, self._parameter) for s in built.body):
            return None
        for statement in self.owner.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="__slots__")], value=value):
                    names = {n.value for n in ast.walk(value) if isinstance(n, ast.Constant)}
                    if not names & {self._parameter, "__dict__"}:
                        return statement
                case ast.AnnAssign(target=ast.Name(id="__slots__")):
                    return statement
                case ast.FunctionDef(name="__setattr__"):
                    return statement
        words = [k for d in self.owner.decorator_list if isinstance(d, ast.Call) for k in d.keywords]
        return next((k.value for k in words if k.arg in ("slots", "frozen") and _is_true(k.value)), None)

    @property
    def _parameter(self) -> str:
        return self.choice.manager.partition(".")[0]

    def _source(self, built: FunctionNode) -> ast.Assign | None:
        """The statement of the constructor that sets what the sessions come from."""
        return next((s for s in built.body if _sets(s, self.choice.in_class_with)), None)  # type: ignore[return-value]

    def _rewrite(self, built: FunctionNode, source: ast.Assign) -> Rewrite:
        span, parameter = self.module.span, self._parameter
        given = parameter in _arguments(built)
        kept = next((a for s in built.body if (a := _kept_as(s, parameter))), "") if given else ""
        ops: list[Op] = [AddBehind(span(built), self._helper(kept or parameter))]
        if not given:
            ops.append(AddParameter(span(built), f"{parameter}=None"))
        if not kept:
            ops.append(AddBehind(span(source), f"self.{parameter} = {parameter}"))
        needs = [ImportNeed("contextlib", "closing"), ImportNeed("contextlib", "contextmanager")]
        if self.choice.application:
            home, _, found = self.choice.application.partition(":")
            needs.append(ImportNeed(home, found.partition(".")[0]))
        first = min([built.lineno, *(d.lineno for d in built.decorator_list)])
        effects = tuple(self._effects(built, given=given))
        return Rewrite(ID, first, built.end_lineno or built.lineno, tuple(ops), tuple(needs), effects=effects)

    def _helper(self, attribute: str) -> str:
        found = self.choice.application.partition(":")[2]
        application, _, kept = found.partition(".")
        return _HELPER.format(
            name=self.choice.expression.partition(".")[2],
            attribute=attribute,
            or_found=", or else the application's" if found else "",
            fallback=self.choice.in_class_with,
            lookup=_LOOKUP.format(application=application, kept=kept) if found else "",
            opener=self.module.text(self.sessions[0].call.func),
            scope=self.choice.manager.partition(".")[2],
        )

    def _effects(self, built: FunctionNode, *, given: bool) -> Iterator[Effect]:
        application = self.choice.application.partition(":")[2]
        found = f", or of {application} where that is set" if application else ""
        count = f"{len(self.sessions)} session{'' if len(self.sessions) == 1 else 's'} of {self.owner.name}"
        text = f"{count} will come from the {self._parameter} that the constructor is given{found}"
        line = min(found.statement.lineno for found in self.sessions)
        yield Effect("session-source", line, f"{text}, and as before from self.{self.choice.in_class_with} where not")
        if given:
            scope = self.choice.manager.partition(".")[2]
            text = f"the constructor takes {self._parameter} already; check that what callers give has {scope}()"
            yield Effect("given-manager", built.lineno, text)
        elif built.args.kwarg is not None:
            rest = built.args.kwarg.arg
            text = f"{self._parameter} was one of **{rest}, and is no more in it: check that no caller gives it"
            yield Effect("given-manager", built.lineno, text)
        for kin in self._kin():
            text = f"{kin.name} keeps a {self._parameter} that it is given; check that it has"
            yield Effect("given-manager", built.lineno, f"{text} {self.choice.manager.partition('.')[2]}()")


def _arguments(function: FunctionNode) -> set[str]:
    return {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _sets(statement: ast.stmt, attribute: str) -> bool:
    """Whether a statement is `self.attribute = ..` and nothing else."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
            return name == attribute
    return False


def _kept_as(statement: ast.stmt, parameter: str) -> str:
    """The attribute in which a statement keeps a parameter as it is, or empty."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Name(id=value)):
            return name if value == parameter else ""
    return ""


def _sets_else(owner: ast.ClassDef, name: str) -> bool:
    """Whether a class sets an attribute to something else than its constructor's parameter of that name."""
    functions = [s for s in owner.body if isinstance(s, FunctionNode)]
    built = [s for f in functions if f.name == "__init__" and name in _arguments(f) for s in f.body]
    kept = [s for s in built if _kept_as(s, name) == name]
    stores = [n for n in every_node(*functions) if isinstance(n, ast.Attribute) and dotted(n) == f"self.{name}"]
    return not kept or len(kept) != sum(isinstance(n.ctx, ast.Store) for n in stores)


CODEMOD = Codemod(
    id=ID,
    title="Service classes get a scope of their own, which asks the session manager first",
    explanation=__doc__ or "",
    needles=((b"class ", b"self.", b"def __init__"), (b"class ", b"self.", b"session")),
    reasons={
        "no-constructor": "The class has no `__init__` of its own. Write one that sets what the sessions come from.",
        "constructor-unclear": (
            "The constructor does not plainly set the attribute, or takes `*args`. Give the class its scope by hand; "
            "session-scope uses it from then on."
        ),
        "fixed-attributes": (
            "The class says which attributes it may have, by `__slots__` or a `__setattr__` of its own. Let the "
            "manager be one of them."
        ),
        "several-openers": "Methods open their sessions in different ways, and the helper can stand for one of them.",
        "name-taken": "The helper's or the manager's name has another meaning in the class. Configure another name.",
    },
    effects={
        "session-source": (
            "Sessions come from the session manager where there is one, and may so share its engine, its session of a "
            "request and its commit at the end. session-scope tells for each method what that changes."
        ),
        "given-manager": (
            "The constructor, or that of a class above or below, took a parameter of that name before, or any by "
            "`**options`. What callers give it must have the scope that is configured under `manager`."
        ),
    },
    find=find,
    examples=EXAMPLES,
    looks_elsewhere=True,
    relevant=lambda text, _: "class " in text and "self." in text,
)

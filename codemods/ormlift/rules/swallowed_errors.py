"""Finds handlers that keep a database error to themselves, and those that leave the session unusable.

    try:                                              try:
        return s.query(User).filter(..).first()           return s.query(User).filter(..).first()
    except Exception as e:                     ->     except Exception as e:
        logger.error(f"failed: {e}")                      logger.error(f"failed: {e}")
        return None                                       raise

The failure it prevents: "no such user" and "the database is down" are the same None, the caller goes on with it, and
nobody can say later why data is missing. Told is only what a caller can't tell from success: the handler gives back
what another return may give as well (None beside `.first()`, an empty list beside `.all()`, False beside another
False), or comes to the end of the function as if the work was done. A handler that raises, answers with an error, shows
a message, counts, or stores the error somewhere has told somebody, and is right. So are handlers of one narrow error
(IntegrityError, NoResultFound), of each single item in a loop, of cleaning up, of health checks, those that log in
jobs of a scheduler or thread, and those whose comment says that the work may fail ("best effort", "don't fail the
request").

`raise` goes behind the log, and is always unsafe: the effect is that callers now get the error.

The second fault is a handler that takes the error of a commit or flush without `rollback()`, where the session is used
again behind it: each use then raises PendingRollbackError, "This Session's transaction has been rolled back due to a
previous exception during flush". `rollback()` goes first into the handler. The
effect is that what follows goes on, without the changes that were rolled back, where it failed before; and where the
try can fail elsewhere than in the commit, changes that were pending then are discarded.

A bare `except:` around database work also takes KeyboardInterrupt and SystemExit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import Effect, Fault, Reason, Refusal, ReplaceStatement, Rewrite, Severity, Site
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.project.scopes import DATABASE_ERRORS, EVERYTHING
from ormlift.rules._swallowed_errors.again import used_again
from ormlift.rules._swallowed_errors.outcome import outcome_of
from ormlift.rules._swallowed_errors.work import BROAD, SENDS, Act, Reader, bare_name, catches, tries
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.swallowed_errors import EXAMPLES
from ormlift.syntax import FunctionNode, Module

ID = "swallowed-errors"
_ENDING = re.compile(
    r"^(try|main|del__|exit__|close|clean|shutdown|stop|teardown|tear_down|dispose|disconnect|release)"
)
_ASKING = re.compile(r"health|ping|connect|available|alive|ready|exists|test_|is_valid")
_MEANT = re.compile(r"best[- ]effort|fire[- ]and[- ]forget|\b(?:never|does not|doesn't) (?:raise|fail)", re.I)
_SAID = re.compile(
    r"best[- ]effort|non-?(?:critical|fatal|blocking|essential)|not (?:critical|fatal|essential)|won'?t be able|"
    r"\b(?:don'?t|do not|must not|should not|shouldn'?t|never) (?:\w+ )?(?:fail|break|crash|block|raise|stop)|"
    r"silently|on purpose|deliberate|\bignor(?:e|ed|ing)\b|\b(?:may|might) (?:\w+ )?fail",
    re.I,
)  # what comments in a handler say where it keeps the error on purpose
_BEST_EFFORT = re.compile(r"^(log|record|track|audit|emit|notify|report|count|increment|metric)")


def find(module: Module, context: Context) -> Iterator[Site]:
    """The handlers of the file that keep an error, and those that leave out the rollback."""
    if is_test_path(module.source.path):
        return
    finder = _Finder(module, Reader(module, context.index, Held(module, context.index)))
    for function, node in tries(module):
        yield from finder.sites(function, node)


@dataclass(frozen=True)
class _Finder:
    module: Module
    reader: Reader

    def sites(self, function: FunctionNode, node: ast.Try) -> Iterator[Site]:
        """The faults of one try."""
        if not any(catches(h, BROAD | DATABASE_ERRORS) for h in node.handlers):
            return
        acts = self.reader.reaching(node)
        if not acts:
            return
        for handler in node.handlers:
            missing = self._without_rollback(function, node, handler, acts)
            if missing is not None:
                yield missing
            if catches(handler, BROAD):
                kept = self._kept(function, node, handler, acts)
                if kept is not None:
                    yield kept

    # The error is kept

    def _kept(self, function: FunctionNode, node: ast.Try, handler: ast.ExceptHandler, acts: list[Act]) -> Site | None:
        name = bare_name(function)
        if _ENDING.search(name) or _ASKING.search(name) or self._is_meant(function, handler):
            return None
        outcome = outcome_of(self.module, function, node, handler)
        if outcome is None:
            return self._bare(handler)
        writes = any(act.writes for act in acts)
        severity = Severity.LOW if _BEST_EFFORT.search(name) else Severity.HIGH if writes else Severity.MEDIUM
        log = "without a word" if outcome.silent else "with a line in the log"
        what = f"an error of {acts[0].words}"
        text = f"{what} ends here {log}: {outcome.words}"
        fault = Fault("swallowed-error", severity, text)
        return self._raising(function, handler, fault)

    def _is_meant(self, function: FunctionNode, handler: ast.ExceptHandler) -> bool:
        """Whether a comment in the handler, or what documents the function, says that it may fail."""
        lines = self.module.lines[handler.lineno - 1 : handler.end_lineno]
        comments = " ".join(line.partition("#")[2] for line in lines if "#" in line)
        documented = ast.get_docstring(function) or ""
        return _MEANT.search(documented) is not None or _SAID.search(comments) is not None

    def _bare(self, handler: ast.ExceptHandler) -> Site | None:
        if handler.type is not None or any(isinstance(n, ast.Raise) for n in ast.walk(handler)):
            return None
        text = "a bare `except:` around database work takes KeyboardInterrupt and SystemExit too"
        reason = Reason(
            "name-the-error", "it does more than log; write `except Exception:`, or the errors that it is for"
        )
        end = handler.end_lineno or handler.lineno
        return Refusal(ID, handler.lineno, end, reason, Fault("bare-except", Severity.MEDIUM, text))

    def _raising(self, function: FunctionNode, handler: ast.ExceptHandler, fault: Fault) -> Site:
        end = handler.body[-1]
        last = end.end_lineno or end.lineno
        span = self.module.span(end)
        match end:
            case ast.Return() | ast.Pass():
                op = ReplaceStatement(span, "raise")
            case ast.Expr():
                op = ReplaceStatement(span, f"{self.module.written(end)}\nraise")
            case _:
                reason = Reason(
                    "unusual-handler", "the handler ends in a statement that `raise` can't follow; put it there"
                )
                return Refusal(ID, handler.lineno, last, reason, fault)
        text = f"callers of {function.name}() get the error, and must be ready for it"
        return Rewrite(ID, handler.lineno, last, (op,), effects=(Effect("now-raises", end.lineno, text),), fault=fault)

    # The rollback is left out

    def _without_rollback(
        self, function: FunctionNode, node: ast.Try, handler: ast.ExceptHandler, acts: list[Act]
    ) -> Site | None:
        sending = [a for a in acts if a.method in SENDS and (a.helper or self.reader.is_session(_receiver(a)))]
        if not sending or not catches(handler, DATABASE_ERRORS | EVERYTHING):
            return None
        name = sending[0].receiver
        again = used_again(self.module, self.reader, function, node, handler, name)
        if not again:
            return None
        text = (
            f"the handler takes an error of {sending[0].words} without "
            f"rollback(), and line {again} uses {name} again: PendingRollbackError"
        )
        fault = Fault("no-rollback", Severity.HIGH, text)
        first = handler.body[0]
        end = handler.end_lineno or first.lineno
        if any(isinstance(c, ast.stmt) for c in ast.iter_child_nodes(first)):
            reason = Reason("unusual-handler", f"the handler begins with a block; put {name}.rollback() in front of it")
            return Refusal(ID, handler.lineno, end, reason, fault)
        wait = "await " if self.reader.held.is_async(_receiver(sending[0])) else ""
        rest = "" if isinstance(first, ast.Pass) else f"\n{self.module.written(first)}"
        op = ReplaceStatement(self.module.span(first), f"{wait}{name}.rollback(){rest}")
        goes_on = f"line {again} failed with PendingRollbackError, and now goes on without what was rolled back"
        effects: tuple[Effect, ...] = (Effect("goes-on", again, goes_on),)
        if not self._only_sends(node, name):
            effects = (self._discards(handler, name), *effects)
        return Rewrite(ID, handler.lineno, first.end_lineno or first.lineno, (op,), effects=effects, fault=fault)

    @staticmethod
    def _only_sends(node: ast.Try, name: str) -> bool:
        """Whether the try does nothing but commit or flush the session."""
        sent = {f"{name}.{method}()" for method in SENDS}
        return all(ast.unparse(s).removeprefix("await ") in sent for s in node.body)

    @staticmethod
    def _discards(handler: ast.ExceptHandler, name: str) -> Effect:
        text = f"where something else than the commit of {name} fails, what is pending is discarded and was kept"
        return Effect("discards-pending", handler.lineno, text)


def _receiver(act: Act) -> ast.expr:
    """The session: what the method is called on, or what the helper is handed."""
    if isinstance(act.call.func, ast.Attribute):
        return act.call.func.value
    return next(a for a in act.call.args if isinstance(a, ast.Name) and a.id == act.receiver)


def relevant(text: str, index: ProjectIndex) -> bool:
    """Whether a text may catch an error of the database."""
    if "except" not in text:
        return False
    return any(word in text for word in ("ession", ".query", "cursor", "conn")) or index.may_hand_out_sessions(text)


FAULTS = {
    "swallowed-error": (
        "The handler gives what success may give as well: a caller goes on with None or an empty list where the "
        "database was down, or believes that something was stored."
    ),
    "no-rollback": (
        "After an error in flush or commit the session refuses all work until rollback(): the next use raises "
        "PendingRollbackError, far from the error that was the cause."
    ),
    "bare-except": "A bare `except:` takes KeyboardInterrupt, SystemExit and the cancelling of a task as well.",
}

REASONS = {
    "unusual-handler": "The handler begins or ends with a block, so that no line can be put there. Write it by hand.",
    "name-the-error": "The handler does more than log. Write `except Exception:`, or name the errors that it is for.",
}

EFFECTS = {
    "now-raises": (
        "Callers get the error that they never saw: a request that answered with nothing now fails. Look at who calls "
        "the function, and catch the error where somebody can be told."
    ),
    "goes-on": (
        "What uses the session next failed with PendingRollbackError, and now works, without the changes that the "
        "failed flush rolled back. Where the rest makes no sense without them, leave the function in the handler."
    ),
    "discards-pending": (
        "The try can fail elsewhere than in the commit, with changes pending; these were kept for a later commit and "
        "are now rolled back."
    ),
}

CODEMOD = Codemod(
    id=ID,
    title="handlers that keep a database error, or leave out the rollback -> `raise`, `rollback()`",
    explanation=(__doc__ or "").strip(),
    needles=((b"except",),),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    faults=FAULTS,
    examples=EXAMPLES,
    relevant=relevant,
)

"""Finds generators and teardowns that end a session the wrong way: data answered with 201 and never stored.

    def get_db():                        def get_db():
        db = SessionLocal()                  db = SessionLocal()
        try:                                 try:
            yield db                 ->          yield db
        finally:                                 db.commit()
            db.close()                       except Exception:
                                                 db.rollback()
                                                 raise
                                             finally:
                                                 db.close()

The failure it prevents: a route adds a row, answers with 201, and the row is gone, because `close()` rolls back what
nobody committed. That a dependency does not commit is no fault by itself: where the routes that it is injected into
commit themselves, it is right, and nothing is told. It is one if a route writes (`add`, `delete`, DML) and does not
commit, or hands the session to functions or service objects of which one writes and none commits: told where each of
them is found and read. The routes of the whole project are read for that; the first is named.

Also found: `yield` in no try, so that an error leaves the session open; a session that nothing closes; a commit in the
finally, or in Flask's teardown, which stores the half of a request that failed; a handler around the yield that does
not raise again; `commit()` behind `close()`, which commits an empty transaction; `flush()` behind `commit()`, which has
nothing to send; a `@contextmanager` given to `Depends`, which enters only generators.

FastAPI runs what follows the yield after the response was sent (unless `Depends(.., scope="function")`): a commit there
can fail behind an answer that said success. That is told as an effect of the new commit.

A close that an error would have skipped and that is now always reached is not told as an effect, unless somebody in the
project takes the session by `next(get_db())` and the like: there the close comes as soon as the generator is let go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ormlift.model import Site
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.rules._dependency_lifecycle.generators import ID, Generators
from ormlift.rules._dependency_lifecycle.order import Order
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.dependency_lifecycle import EXAMPLES
from ormlift.syntax import Module

_CONCERNED = re.compile(r"\byield\b|\.flush\(\)|\bteardown_|\bDepends\(|\.close\(\)(?s:.*)\.commit\(\)")


def find(module: Module, context: Context) -> Iterator[Site]:
    """Everything of the file that ends a session the wrong way."""
    held = Held(module, context.index)
    yield from Generators(module, context.index, held).sites()
    yield from Order(module, context.index, held).sites()


def relevant(text: str, index: ProjectIndex) -> bool:
    """Whether a text may end a session."""
    if "Depends(" in text and any(not s.is_async and s.name in text for s in index.scopes):
        return True
    about = "ession" in text or index.may_hand_out_sessions(text)
    return about and _CONCERNED.search(text) is not None


FAULTS = {
    "never-committed": (
        "The dependency closes without commit, and a route that it is injected into writes without one: the answer "
        "says success, and nothing is stored."
    ),
    "yield-outside-try": (
        "An error in the route or block is raised at the yield, and what follows is not reached: the session stays "
        "open, and its connection with it."
    ),
    "never-closed": "Nothing closes the session: its connection stays out of the pool until it is collected.",
    "commit-on-error": "The commit is made after an error too, and stores the half of the work that was done.",
    "swallows-error": "The handler around the yield does not raise again: who waits for the error never learns of it.",
    "commit-after-close": "close() rolled back what was pending; the commit behind it commits an empty transaction.",
    "flush-after-commit": "A commit flushes by itself; the flush behind it has nothing to send.",
    "scope-as-dependency": (
        "`Depends` is given a context manager. FastAPI enters generators only: the route gets the manager itself, or "
        "newer versions raise TypeError, in each request."
    ),
}

REASONS = {
    "unusual-shape": (
        "The statements around the yield, or in the handler, have a shape that no edit can follow without changing "
        "more. Write try, yield, commit, except, rollback, raise, finally, close by hand."
    ),
}

EFFECTS = {
    "now-commits": (
        "What was rolled back by the close is now committed. If a route left without a commit in order to discard, "
        "call rollback() there first."
    ),
    "after-response": (
        "FastAPI runs the code behind the yield after the response: a commit that fails there was already answered "
        "with success. Commit in the route where the answer must be true."
    ),
    "now-closed": "The session was left open and is now closed, which rolls back what is not committed.",
    "taken-by-hand": (
        "Other code takes the session by `next()` or `__enter__()`, leaves a loop over the generator, or reads what "
        "the block loaded in a handler of its error. When the generator is let go, its `finally` is run and closes "
        "the session, which may still be in use; what stands behind the yield is not run. Use a `with` there first."
    ),
    "no-commit-on-error": "What an unfinished request or block had done so far is no longer stored.",
    "now-raises": "The error reaches the caller, who must be ready for it.",
    "now-runs": "The line failed each time that it ran, and now works: what stands behind it runs for the first time.",
}

CODEMOD = Codemod(
    id=ID,
    title="dependencies and teardowns that lose data or leave sessions open -> commit, rollback, close",
    explanation=(__doc__ or "").strip(),
    needles=((b"yield",), (b"flush",), (b"teardown",), (b"Depends",), (b"close",)),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    faults=FAULTS,
    examples=EXAMPLES,
    relevant=relevant,
    looks_elsewhere=True,
)

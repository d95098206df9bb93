"""Finds async sessions that are opened, awaited or asked the wrong way, and mends them.

    session = get_session()                          async with get_session() as session:
    result = await session.execute(statement)   ->       result = await session.execute(statement)

Each failure prevented: `'_AsyncGeneratorContextManager' object has no attribute 'execute'` (a scope taken for the
session), `object _AsyncGeneratorContextManager can't be used in 'await' expression`, `'coroutine' object does not
support the asynchronous context manager protocol`, `coroutine was never awaited` and a commit that never runs,
`object int can't be used in 'await' expression` (`await result.scalar()`), `'AsyncSession' object has no attribute
'query'`, and connections that never go back to the pool.

Which form is right follows from the definition of what is called, read in the project:
- an `@asynccontextmanager`: `async with get_session() as s`;
- a coroutine that returns a session: `async with await get_session() as s`;
- a factory: `async with factory() as s`;
- an async generator, as FastAPI takes for a dependency, is no context manager: in a route it belongs into
  `Depends(get_db)`, elsewhere it is wrapped: `async with asynccontextmanager(get_db)() as s`;
- the other way round, `Depends` of an `@asynccontextmanager` gets the generator inside it, `get_session.__wrapped__`.

The new block holds every use of the session and of what was made with it. Where that can't be, the site stays.

A line that failed each time and now runs is an effect (`now-runs`): what stands behind it never ran before. A session
that is opened and closed by hand and has one of the shapes that `session-scope` knows becomes `async with`, which
closes at the same place: that is safe. Where a scope of the project fits, it is left to `session-scope`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ormlift.model import Site
from ormlift.project.flow import Knowledge
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.rules._async_session.awaits import Awaits
from ormlift.rules._async_session.entered import Entered
from ormlift.rules._async_session.queries import Queries
from ormlift.rules._async_session.words import ID
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.async_session import EXAMPLES
from ormlift.syntax import Module


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every wrong use of an async session in the file."""
    index, held = context.index, Held(module, context.index)
    yield from Entered(module, index, context.settings, Knowledge.of(index, module)).sites()
    yield from Awaits(module, held).sites()
    yield from Queries(module, index, held).sites()


def relevant(text: str, index: ProjectIndex) -> bool:
    """Whether a text may hold an async session at all."""
    return "AsyncSession" in text or index.names_async_session(text)


FAULTS = {
    "scope-as-session": (
        "What is called gives a context manager, a coroutine or a generator, and is used as the session: the first use "
        "raises AttributeError, such as '_AsyncGeneratorContextManager' object has no attribute 'execute'."
    ),
    "awaited-scope": "What is called can't be awaited: the line raises TypeError each time that it runs.",
    "scope-as-dependency": (
        "`Depends` is given a context manager. FastAPI enters generators only: the route gets the manager itself, or "
        "newer versions raise TypeError, in each request."
    ),
    "not-a-scope": "What is called can't be entered by `async with`: the line raises TypeError each time that it runs.",
    "sync-with": "An async session or scope is entered by a plain `with`, which raises TypeError each time.",
    "missing-await": "A method of the session gives a coroutine that is never awaited: it does not run at all.",
    "not-awaitable": "What is awaited is no coroutine: TypeError each time that the line runs.",
    "query-on-async": "An AsyncSession has no query(): AttributeError each time that the line runs.",
    "never-closed": (
        "Nothing closes the session: its connection stays out of the pool until it is collected, and under load the "
        "pool runs dry."
    ),
    "closed-by-hand": (
        "The session is opened without `async with` and closed by hand: an error or a return in between may leave it "
        "open. Low, where a finally closes it."
    ),
}

REASONS = {
    "not-in-coroutine": "The fix needs `await`, which only an `async def` may hold. Make the function async.",
    "unnamed": "The session has no name, so that no block can hold it. Open it with `async with .. as s`.",
    "several-items": "Another item of the same `with` follows and may need this one. Give each a `with` of its own.",
    "never-used": "Nothing uses the session. Remove the line.",
    "used-elsewhere": "The session is used outside of the statements behind its opening. Move those uses together.",
    "bound-again": "The variable is bound at several places. Use another name for the other.",
    "captured": "A nested function sees the session and may run after the block. Pass it as an argument.",
    "not-one-block": "The life of the session has no shape that one block can hold; the sentence says why.",
    "scope-is-better": "The project has a scope that fits, and `session-scope` hands the session to it.",
    "unusual-query": "The query uses what a select writes otherwise. Write it as a select by hand.",
}

EFFECTS = {
    "now-runs": (
        "The line failed each time that it ran, and now works: what stands behind it runs for the first time. Read it "
        "as if it were new code."
    ),
    "now-injected": "FastAPI makes the session before the route runs, and ends it behind the route, not in its middle.",
    "handler-after-close": "A handler did its work before the session was closed, and does it behind the close.",
    "close-may-raise": "A handler around the close took its error; `async with` lets it out.",
    "now-closed": "The session was left open and is now closed at the end of the block, which rolls back what is open.",
}

CODEMOD = Codemod(
    id=ID,
    title="async sessions opened, awaited or asked the wrong way -> `async with`, `await`, `select()`",
    explanation=(__doc__ or "").strip(),
    needles=((b"ession",), (b"get_db",), (b"await",)),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    faults=FAULTS,
    examples=EXAMPLES,
    relevant=relevant,
)

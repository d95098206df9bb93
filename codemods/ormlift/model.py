"""The core types: what a site is, what was decided about it, and what becomes of a file.

Everything that flows through ormlift is one of these: `Source -> Rewrite | Refusal -> Outcome`. They are plain frozen
data, so that they cross process borders and can be compared in tests. This module imports nothing of ours.

Lines are 1-based and inclusive. Columns are 0-based and count code points (as libcst does; `ast` counts UTF-8 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class UserError(Exception):
    """A mistake of the user. Its text is one line that says what is wrong and what to do; exit code 2."""


class Applicability(StrEnum):
    """Who may apply a rewrite."""

    SAFE = "safe"  # no effect: applied by default
    UNSAFE = "unsafe"  # effects are listed: applied only with --unsafe
    MANUAL = "manual"  # shown, never applied


class Verdict(StrEnum):
    """What the evidence for a rewrite amounts to."""

    PROVEN = "proven"  # shown equal by sound steps
    TESTED = "tested"  # both were run on seeded data and agreed
    DIFFERENT = "different"  # a counterexample was found: the rewrite is never applied
    UNKNOWN = "unknown"  # no evidence: the rewrite is unsafe


class Severity(StrEnum):
    """How much a fault costs the program that has it."""

    CRITICAL = "critical"  # it fails, or loses data, whenever the code runs
    HIGH = "high"  # it fails, or loses data, under conditions that will come
    MEDIUM = "medium"  # it hides errors, or breaks once something else changes
    LOW = "low"  # worth knowing


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source text, from its first character to just behind its last."""

    line: int
    col: int
    end_line: int
    end_col: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A behaviour of the program that a rewrite would or may change."""

    code: str  # kebab-case, one of the codemod's `effects`
    line: int  # the line of the file as it was that shows it
    message: str  # one sentence, naming what the reader sees on that line


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a site was left as it is."""

    code: str  # kebab-case, one of the codemod's `reasons`
    message: str  # what stands in the way, and the way out


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the code as it stands: what a check finds, whether or not it can mend it."""

    code: str  # kebab-case, one of the codemod's `faults`
    severity: Severity
    message: str  # one sentence, naming what fails and when


@dataclass(frozen=True, slots=True)
class Certificate:
    """The evidence for the SQL of one rewrite."""

    verdict: Verdict
    before: str  # the SQL as it stood, placeholders normalised
    after: str  # the SQL that the written statement compiles to
    steps: tuple[str, ...] = ()  # how the one was led to the other, or the counterexample, one line each


@dataclass(frozen=True, slots=True)
class ReplaceExpr:
    """The expression that stands exactly at `span` becomes `text` (its own parentheses stay)."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class ReplaceStatement:
    """The statement at `span` becomes the statements of `text`, written at column 0; empty text removes it.

    Comments above it and at its end stay in the file, also when it is removed.
    """

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wrap:
    """The sibling statements from the one at `first` to the one at `last` become the body of `header`.

    `header` is all but the colon: `with session_scope() as session`.
    """

    first: Span
    last: Span
    header: str


@dataclass(frozen=True, slots=True)
class DropFinally:
    """The `finally` of the try at `span` goes; a try left with no handler is opened into the suite around it."""

    span: Span


@dataclass(frozen=True, slots=True)
class DropHandlers:
    """The handlers of the try at `span` go, but for the first `kept`; a try left with nothing is opened likewise."""

    span: Span
    kept: int = 0


@dataclass(frozen=True, slots=True)
class DropWithItem:
    """The item of a `with` whose expression stands at `span` goes; a `with` left with none is opened into its suite."""

    span: Span


@dataclass(frozen=True, slots=True)
class AddParameter:
    """The function whose `def` stands at `span` takes the parameter `text` behind its others.

    It has a default, and stands in front of `*args` and of those that are passed by name.
    """

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class DropArgument:
    """The argument of a call whose value stands at `span` goes, or the parameter of a def whose name does."""

    span: Span


@dataclass(frozen=True, slots=True)
class AddBehind:
    """Behind the statement at `span` come those of `text`, written at column 0; a block gets a blank line before it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class AddAbove:
    """Above the statement at `span`, and below the comments above it, come those of `text`, written at column 0."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class CommentOut:
    """The statement at `span` becomes a comment, line by line as it stands, below the comment `above`."""

    span: Span
    above: str = ""  # lines without their `#`


Op = (
    ReplaceExpr
    | ReplaceStatement
    | Wrap
    | DropFinally
    | DropHandlers
    | DropWithItem
    | AddParameter
    | DropArgument
    | AddBehind
    | AddAbove
    | CommentOut
)


@dataclass(frozen=True, slots=True, order=True)
class ImportNeed:
    """A name that the new text uses: `from module import name`, or `import module` where name is empty."""

    module: str
    name: str = ""
    beside: int = 0  # the line of an import in a function, which waits until it runs: so does this; 0: at the top
    inside: int = 0  # the line of a function that it is to stand in, as at the top it would close a circle


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A planned change of one site."""

    codemod: str  # id of the codemod
    line: int  # the site's first line
    end_line: int  # the site's last line
    ops: tuple[Op, ...]  # the change, as edits of the tree
    imports: tuple[ImportNeed, ...] = ()  # names the new text needs bound at module level
    unused: tuple[str, ...] = ()  # imported names the old text used and the new one may not; removed if now unused
    effects: tuple[Effect, ...] = ()  # none: safe
    certificates: tuple[Certificate, ...] = ()  # one for each SQL statement of the site
    manual: bool = False  # true: shown, never applied
    fault: Fault | None = None  # what a check found here; None for a codemod that only migrates
    mates: tuple[int, ...] = ()  # the first lines of those of the codemod that are made together with it, or not at all

    @property
    def applicability(self) -> Applicability:
        """`manual` if it says so, `unsafe` if it has effects or a statement without evidence, `safe` otherwise."""
        if self.manual or any(c.verdict is Verdict.DIFFERENT for c in self.certificates):
            return Applicability.MANUAL
        if self.effects or any(c.verdict is Verdict.UNKNOWN for c in self.certificates):
            return Applicability.UNSAFE
        return Applicability.SAFE


@dataclass(frozen=True, slots=True)
class Refusal:
    """A site left as it is."""

    codemod: str
    line: int
    end_line: int
    reason: Reason
    fault: Fault | None = None  # what a check found here; the reason says why it is not mended, and the way out


Site = Rewrite | Refusal


class Status(StrEnum):
    """How a site ended. Every site that is found ends as exactly one of these."""

    REWRITTEN = "rewritten"
    REFUSED = "refused"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What became of one site; the row of every report."""

    codemod: str
    line: int  # lines of the file as it was before the run
    end_line: int
    status: Status
    applicability: Applicability | None = None  # None where no rewrite was planned
    effects: tuple[Effect, ...] = ()
    reason: Reason | None = None  # None where it was rewritten
    certificates: tuple[Certificate, ...] = ()
    fault: Fault | None = None  # what a check found


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text and all that is needed to write it back byte for byte."""

    path: str  # relative to the root, with forward slashes
    text: str  # decoded, without BOM, newlines as they were
    encoding: str = "utf-8"
    bom: bool = False


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file holds no site."""

    path: str


@dataclass(frozen=True, slots=True)
class Planned:
    """The file has at least one rewrite to apply."""

    path: str
    before: Source
    after: Source
    sites: tuple[SiteReport, ...]
    notes: tuple[str, ...] = ()  # unused suppressions and the like, one line each


@dataclass(frozen=True, slots=True)
class Refused:
    """The file holds sites, and none of them is to be rewritten."""

    path: str
    sites: tuple[SiteReport, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The file could not be handled: not readable, not parseable, or a plan that did not pass verification."""

    path: str
    message: str  # one line
    sites: tuple[SiteReport, ...] = ()
    ours: bool = False  # true: a bug of ormlift, and reported as one


Outcome = Unchanged | Planned | Refused | Failed


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """A scope that the user configured, and where it is to be used."""

    expression: str  # what to call: `session_scope`, `unified_session_manager.get_db_session`
    module: str = ""  # where its first name is imported from; empty: it must be bound in the file already
    where: tuple[str, ...] = ()  # globs of paths; empty: everywhere
    decorated_by: tuple[str, ...] = ()  # globs of dotted decorator names: only in functions that bear one of them
    in_class_with: str = ""  # only in methods of classes with this attribute: `db_manager`
    stated: tuple[tuple[str, str], ...] = ()  # what the user says it does, over what is read: `("commits", "yes")`
    manager: str = ""  # of a `self.` scope: the constructor's parameter and its scope: `session_manager.get_db_session`
    application: str = ""  # where the manager is found when none is given: `flask:current_app.session_manager`


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's `[tool.ormlift]`, checked."""

    scopes: tuple[ScopeChoice, ...] = ()  # the first whose `where` fits is used; none: a scope found in the project
    scope_choice: str = "configured"  # configured | faithful: where it changes a site's behaviour, one that does not
    redundant_rollback: str = "keep"  # keep | drop: a handler that only does what the scope does by itself
    dialect: str = "sqlite"  # sqlite | postgresql | mysql; empty, before the index is read: what it likely is
    style: str = "auto"  # auto | query | select
    sqlalchemy: str = ""  # 1.4 | 2.0 | 2.1, or an older one that is pinned; empty: not known, so the newest
    timestamps: str = "func"  # func | utcnow | now-utc
    models: tuple[str, ...] = ()  # where models are defined; empty: wherever they are found
    connections: tuple[str, ...] = ()  # `module:name` of what opens a DB-API connection to the engine's own database
    codemods: tuple[str, ...] = field(default=())  # ids to run; empty: all
    unsafe: bool = False
    skip: tuple[tuple[str, str, int], ...] = ()  # sites that were skipped in a review: path, codemod, first line

"""Text and codemods to an outcome, to a fixpoint.

Each round finds all sites of the file as it stands, applies the rewrites that do not overlap, and verifies the edit.
The rounds end when nothing is left to apply; so a second run finds nothing more to do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ormlift.edit import Edited, LayoutError, apply, op_lines
from ormlift.model import (
    Applicability,
    CommentOut,
    Effect,
    Failed,
    ImportNeed,
    Outcome,
    Planned,
    Reason,
    Refusal,
    Refused,
    Rewrite,
    Settings,
    Site,
    SiteReport,
    Source,
    Status,
    Unchanged,
)
from ormlift.project.index import ProjectIndex
from ormlift.project.late import home_inside, is_bound, library_names, waiting
from ormlift.project.roots import import_effects
from ormlift.rules import ALL
from ormlift.rules.base import Codemod, Context
from ormlift.suppress import Suppression, suppressions
from ormlift.syntax import Module
from ormlift.verify import LostCommentError, VerificationError, verify_edit

_LINE = re.compile(r"\bline (\d+)\b")
_Made = tuple[Edited, Module]  # an edit, and the text that it makes
_Group = tuple[Rewrite, ...]  # what is made together, or not at all
_ROUNDS = 25  # more rounds than sites can nest; reaching it means that a codemod rewrites its own result


def plan_file(source: Source, index: ProjectIndex, settings: Settings) -> Outcome:
    """Plan all rewrites of one file. Never raises for what the file holds: that is a `Failed`.

    What is `Planned` is verified and may be written.
    """
    codemods = [c for c in ALL if (c.id in settings.codemods if settings.codemods else not c.inventory)]
    if "ormlift:" not in source.text and not any(c.relevant(source.text, index) for c in codemods):
        return Unchanged(source.path)
    try:
        module = Module.parse(source)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return Failed(source.path, f"cannot be parsed: {where}{error.msg}; mend it, or exclude the file")
    try:
        return _Planner(module, codemods, Context(index, settings)).run()
    except VerificationError as error:
        return Failed(source.path, f"the planned change was not verified: {error}", ours=True)
    except Exception as error:  # noqa: BLE001, RUF100 - one file's bug must not end the run; it is reported as ours
        return Failed(source.path, f"{type(error).__name__}: {error}".splitlines()[0], ours=True)


@dataclass
class _Planner:
    """The state of planning one file."""

    module: Module
    codemods: Sequence[Codemod]
    context: Context
    current: Module = field(init=False)
    origin: list[int | None] = field(init=False)  # for each current line, the line of the file as it was
    ignored: tuple[Suppression, ...] = field(init=False)
    first: list[Site] = field(default_factory=list)  # the sites of the file as it was
    last: list[Site] = field(default_factory=list)  # those of the file as it is in the end
    done: list[Site] = field(default_factory=list)  # rewrites applied, with the file's own lines
    stuck: dict[tuple[str, int], str] = field(default_factory=dict)  # (codemod, line) -> why no edit could follow it

    def __post_init__(self) -> None:
        """Start at the file as it is."""
        self.current = self.module
        self.origin = list(range(1, len(self.module.lines) + 1))
        self.ignored = suppressions(self.module.source.text)

    def run(self) -> Outcome:
        """Rounds until nothing is left to apply, then the account."""
        sites = self.first = self._find()
        for _ in range(_ROUNDS):
            batch = self._batch(sites)
            if not batch:
                return self._outcome(sites)
            self._apply(batch)
            sites = self._find()
        message = "rewriting does not come to an end"
        raise VerificationError(message)

    def _find(self) -> list[Site]:
        found = [self._waiting(s) for codemod in self.codemods for s in codemod.find(self.current, self.context)]
        return sorted(found, key=lambda site: (site.line, site.end_line, site.codemod))

    def _waiting(self, site: Site) -> Site:
        """A site whose new imports stand where the function's own did, if it waited for them."""
        if not isinstance(site, Rewrite):
            return site
        needs = [waiting(self.current, need, site.line, site.unused) for need in site.imports]
        if None in needs:
            text = "what hands out the session or connection is imported inside the block; import it in front"
            self.stuck[site.codemod, self._was(site.line)] = text
        return self._inside(
            replace(site, imports=tuple(need or old for need, old in zip(needs, site.imports, strict=True)))
        )

    def _inside(self, site: Rewrite) -> Rewrite:
        """A site whose function imports for itself what would close a circle at the top of the file."""
        imports, effects = [], list(site.effects)
        lines = [site.line, site.end_line, *(line for op in site.ops for line in op_lines(op))]
        for need in site.imports:
            home = home_inside(self.current, need, min(lines), max(lines)) if self._closes(need) else None
            imports.append(replace(need, inside=home.lineno) if home is not None else need)
            if home is not None:
                message = f"{home.name} imports {need.module} itself, as at the top that would close a circle"
                message += ": where nothing has imported it before, its code runs when the function is called"
                effects.append(Effect("late-import", site.line, message))
        new = [n for n in imports if not (n.beside or n.inside or is_bound(self.current, n))]
        effects += import_effects(self.current, new, site.line, self.context.index.imports)
        return replace(site, imports=tuple(imports), effects=tuple(dict.fromkeys(effects)))

    def _batch(self, sites: Iterable[Site]) -> list[_Group]:
        """The rewrites to apply in this round: applicable, and no two of different groups on the same lines."""
        batch: list[_Group] = []
        for group in _groups(sites):
            free = all(_apart(site, other) for site in group for taken in batch for other in taken)
            if free and all(self._why_not(site) is None for site in group):
                batch.append(group)
        return batch

    def _why_not(self, rewrite: Rewrite) -> Reason | None:
        """Why a rewrite is not to be applied, or None."""
        line = self._was(rewrite.line)
        if self._is_ignored(rewrite):
            return Reason("ignored", "a comment on the site's first line asks to leave it")
        if (self.module.source.path, rewrite.codemod, line) in self.context.settings.skip:
            return Reason("skipped", "it was skipped in the review")
        stuck = self.stuck.get((rewrite.codemod, line))
        if stuck:
            return Reason(
                "unusual-layout", stuck if ";" in stuck else f"{stuck}; put each statement on a line of its own"
            )
        circle = self._circle(rewrite)
        if circle:
            return Reason(
                "import-cycle",
                f"importing {circle} here would close a circle of imports; move it, or import it inside the function",
            )
        if rewrite.applicability is Applicability.MANUAL:
            return Reason("manual-only", "shown, never applied: change it by hand")
        if rewrite.applicability is Applicability.UNSAFE and not self.context.settings.unsafe:
            count = len(rewrite.effects)
            what = f"{count} effect{'' if count == 1 else 's'}" if count else "no certificate"
            return Reason("needs-unsafe", f"{what}; applied with --unsafe")
        return None

    def _why_not_mates(self, rewrite: Rewrite) -> Reason | None:
        """Why none of those that a rewrite goes together with is to be applied, or None."""
        for mate in (s for s in self.last if isinstance(s, Rewrite) and s.codemod == rewrite.codemod):
            reason = self._why_not(mate) if mate.line in rewrite.mates else None
            if reason is not None:
                return Reason(
                    reason.code, f"goes together with line {self._was(mate.line)}, which stays: {reason.message}"
                )
        return None

    def _circle(self, rewrite: Rewrite) -> str:
        """The module that the rewrite would import and that leads back to this file, or the empty string."""
        return next((need.module for need in rewrite.imports if not need.inside and self._closes(need)), "")

    def _closes(self, need: ImportNeed) -> bool:
        """Whether an import at the top of the file would be new, and close a circle."""
        imports, path = self.context.index.imports, self.module.source.path
        new = not need.beside and not is_bound(self.current, need)
        return new and imports.closes_circle(path, need.module)

    def _is_ignored(self, site: Site) -> bool:
        return any(s.covers(site.codemod, self._was(site.line)) for s in self.ignored)

    def _apply(self, batch: list[_Group]) -> None:
        """Apply a batch; rewrites that no edit can follow are set aside."""
        kept, made = self._possible(batch, [], None)
        if made is None:
            return
        edited, module = made
        self.done += [self._mapped(rewrite) for group in kept for rewrite in group]
        self.origin = [None if line is None else self.origin[line - 1] for line in edited.origin]
        self.current = module

    def _possible(
        self, batch: list[_Group], kept: list[_Group], made: _Made | None
    ) -> tuple[list[_Group], _Made | None]:
        """`kept`, which makes `made`, with all of a batch that can be made beside it; by halves, as most is good."""
        tried = self._try([*kept, *batch])
        if tried is not None:
            return [*kept, *batch], tried
        if len(batch) > 1:
            middle = len(batch) // 2
            kept, made = self._possible(batch[:middle], kept, made)
            return self._possible(batch[middle:], kept, made)
        if kept and self._try(batch) is not None:
            self._set_aside(batch[0], "its edit collides with another's")
        return kept, made

    def _set_aside(self, group: _Group, why: str) -> None:
        for rewrite in group:
            self.stuck[rewrite.codemod, self._was(rewrite.line)] = why

    def _try(self, batch: list[_Group]) -> _Made | None:
        """What a batch makes of the file, verified; None where its layout stands in the way, which is noted of one."""
        rewrites = [rewrite for group in batch for rewrite in group]
        try:
            edited = apply(self.current, [self._tidied(rewrite) for rewrite in rewrites])
            after = replace(self.module.source, text=edited.text)
            lines = [(rewrite.line, rewrite.end_line) for rewrite in rewrites]
            return edited, verify_edit(self.current, after, edited.origin, lines)
        except LayoutError as error:
            told = str(error)
        except LostCommentError as error:
            told = self._homeless(error.comment, rewrites)
        if len(batch) == 1:
            self._set_aside(batch[0], told)
        return None

    def _homeless(self, comment: str, rewrites: Sequence[Rewrite]) -> str:
        """What is told of a site whose rewrite has no place for a comment."""
        numbers = (n for rewrite in rewrites for n in range(rewrite.line, rewrite.end_line + 1))
        held = (n for n in numbers if self.current.lines[n - 1].rstrip().endswith(comment))
        line = self._was(next(held, rewrites[0].line))
        return f"the comment on line {line} has no place in the new code; put it on a line above the statement"

    def _tidied(self, rewrite: Rewrite) -> Rewrite:
        """With the imports of libraries that the site may have used last; what other files take from this one stays."""
        imports, path = self.context.index.imports, self.module.source.path
        names = set(rewrite.unused)
        if not any(isinstance(op, CommentOut) for op in rewrite.ops):  # a comment still says its names
            names |= library_names(self.current, rewrite.line, rewrite.end_line)
        top = self.current.imports
        return replace(
            rewrite, unused=tuple(sorted(n for n in names if n not in top or not imports.imported_from(path, n)))
        )

    # The account

    def _was(self, line: int) -> int:
        """The line of the file as it was that a current line stands for; for a new line, the nearest one above."""
        for number in range(min(line, len(self.origin)) - 1, -1, -1):
            known = self.origin[number]
            if known is not None:
                return known
        return 1

    def _mapped(self, site: Site) -> Site:
        """The site with the lines of the file as it was; as it was first found, if it says the same there."""
        first, last = self._was(site.line), self._was(site.end_line)
        same = next((s for s in self.first if (s.codemod, s.line) == (site.codemod, first)), None)
        if same is not None and _gist(same) == _gist(site):
            return same  # its messages name lines of the file as it was
        if isinstance(site, Refusal):
            reason = replace(site.reason, message=self._told(site.reason.message))
            return replace(site, line=first, end_line=max(first, last), reason=reason)
        effects = tuple(Effect(e.code, self._was(e.line), self._told(e.message)) for e in site.effects)
        return replace(site, line=first, end_line=max(first, last), effects=effects)

    def _told(self, message: str) -> str:
        """A message with the lines of the file as it was."""
        return _LINE.sub(lambda match: f"line {self._was(int(match[1]))}", message) if self.done else message

    def _outcome(self, last: list[Site]) -> Outcome:
        self.last = last
        path = self.module.source.path
        reports = [_report(site, Status.REWRITTEN, None) for site in self.done]
        reports += [self._left(site) for site in self._untold(last)]
        reports += self._covered(reports)
        reports.sort(key=lambda r: (r.line, r.end_line, r.codemod))
        notes = self._notes(reports)
        if self.done:
            return Planned(path, self.module.source, self.current.source, tuple(reports), notes)
        return Refused(path, tuple(reports), notes) if reports or notes else Unchanged(path)

    def _untold(self, last: list[Site]) -> list[Site]:
        """The sites left, but for those that were rewritten and are sites still, in their new form."""
        owed = Counter(site.codemod for site in self.first) - Counter(site.codemod for site in self.done)
        new = [s for s in last if isinstance(s, Refusal) and self.origin[s.line - 1] is None]
        old = [s for s in last if not any(s is other for other in new)]
        owed -= Counter(site.codemod for site in old)
        for site in new:
            if owed[site.codemod] > 0:
                owed[site.codemod] -= 1
                old.append(site)
        return old

    def _left(self, site: Site) -> SiteReport:
        """The report of a site that stays."""
        mapped = self._mapped(site)
        if self._is_ignored(site):
            why = next(s.why for s in self.ignored if s.covers(site.codemod, mapped.line))
            return _report(mapped, Status.SUPPRESSED, Reason("ignored", why or "no reason is given"))
        if isinstance(site, Rewrite):
            reason = self._why_not(site) or self._why_not_mates(site)
            report = _report(mapped, Status.REFUSED, reason)
            impossible = reason is not None and reason.code in ("unusual-layout", "import-cycle")
            return replace(report, applicability=None, effects=()) if impossible else report
        return _report(mapped, Status.REFUSED, mapped.reason if isinstance(mapped, Refusal) else None)

    def _covered(self, reports: list[SiteReport]) -> list[SiteReport]:
        """Sites of the first round that went away because another codemod's rewrite took them in."""
        known = {(r.codemod, r.line) for r in reports}
        covered = []
        for site in self.first:
            if (site.codemod, site.line) in known:
                continue
            by = next((d for d in self.done if d.line <= site.line <= d.end_line), None)
            if by is None:
                message = f"the {site.codemod} site on line {site.line} was lost from the account"
                raise VerificationError(message)
            reason = Reason("covered", f"rewritten as a part of the {by.codemod} site on line {by.line}")
            report = _report(by, Status.REWRITTEN, reason)
            own = replace(report, codemod=site.codemod, fault=site.fault)
            covered.append(replace(own, line=site.line, end_line=site.end_line))
        return covered

    def _notes(self, reports: list[SiteReport]) -> tuple[str, ...]:
        ran = {codemod.id for codemod in self.codemods}
        known = {codemod.id for codemod in ALL}
        notes = []
        for suppression in self.ignored:
            unknown = sorted(suppression.ids - known)
            notes += [f"line {suppression.line}: ignore[{name}] names no codemod" for name in unknown]
            wanted = suppression.ids & ran if suppression.ids else ran
            if wanted and not any(suppression.covers(r.codemod, r.line) for r in reports):
                notes.append(f"line {suppression.line}: this ignore comment is not used; remove it")
        return tuple(notes)


def _gist(site: Site) -> tuple[str, ...]:
    """What a site says, without the lines that it names."""
    fault = site.fault.code if site.fault else ""
    if isinstance(site, Refusal):
        return (fault, site.reason.code)
    return (fault, "", *(effect.code for effect in site.effects))


def _groups(sites: Iterable[Site]) -> list[_Group]:
    """The rewrites in order, those together that go together."""
    rewrites = [site for site in sites if isinstance(site, Rewrite)]
    found: dict[Rewrite, _Group] = {}
    for site in rewrites:
        mates = [r for r in rewrites if r is site or (r.codemod == site.codemod and r.line in site.mates)]
        found.setdefault(mates[0], tuple(mates))
    return list(found.values())


def _apart(one: Rewrite, other: Rewrite) -> bool:
    return one.end_line < other.line or other.end_line < one.line


def _report(site: Site, status: Status, reason: Reason | None) -> SiteReport:
    if isinstance(site, Refusal):
        return SiteReport(site.codemod, site.line, site.end_line, status, reason=reason, fault=site.fault)
    return SiteReport(
        site.codemod,
        site.line,
        site.end_line,
        status,
        applicability=site.applicability,
        effects=site.effects,
        reason=reason,
        certificates=site.certificates,
        fault=site.fault,
    )

"""What a codemod, a reason, an effect or a site means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ormlift.model import Outcome, SiteReport
from ormlift.rules.base import Codemod, Example

from ormlift_cli.render.text import status_word
from ormlift_cli.tally import sites_of

COMMON = {
    "needs-unsafe": "The rewrite has effects, or no certificate. -v shows them; --unsafe applies it all the same.",
    "manual-only": "The rewrite is shown and never applied. Change the site by hand.",
    "unusual-layout": "The site is laid out so that no edit can keep what stands around it. Put each of its statements "
    "on a line of its own, and run ormlift again.",
    "ignored": "A comment `# ormlift: ignore[codemod-id] reason` on the site's first line asks to leave it.",
    "covered": "The site was rewritten as a part of another codemod's site around it.",
    "uncommitted": "The file has changes that are not committed, so its commit would hold more than the rewrite. "
    "Commit or stash them, or use --no-commit.",
    "taken-back": "The rewrite was written and tried, and the file did not pass: its tests failed, or it could not be "
    "compiled or imported. The file is as it was; the report and the JSON hold what the check said.",
    "skipped": "The rewrite was skipped in `ormlift review`. The next run offers it again; a comment "
    "`# ormlift: ignore[codemod-id] reason` leaves it for good.",
    "over-limit": "The phase, or --limit, allows a number of files for one run, and others came first. Run it again.",
    "import-cycle": "The new text needs a name from a module that, while it is imported, imports this file: at the top "
    "the import would fail. A function imports it for itself; the site stands in none, or in one that the file calls "
    "while it is imported, or that calls something else by that name. Move the scope or the models.",
    "not-written": "The rewrite was planned, and could not be written or committed. The file is as it was.",
}  # the codes that belong to no codemod
EFFECTS = {
    "late-import": "The function imports for itself what at the top of the file would close a circle of imports. Where "
    "nothing has imported that module before, its code runs when the function is called for the first time.",
    "import-root": "The file imports a package of the project newly, and nothing shows that it runs where Python finds "
    "that package: it imports nothing else of it, no other file imports it, and the package does not stand beside it. "
    "A script that is started by its own path raises ModuleNotFoundError. Set PYTHONPATH, install the project, or "
    "start it with `python -m`.",
    "star-import": "Another file imports everything of this one with `*`, and gets the names that are imported newly "
    "as well: one that it has of another module before that line means the new one then. Give the file `__all__`.",
}  # of any codemod's rewrite


def list_codemods(codemods: Sequence[Codemod]) -> Iterator[str]:
    """One line for each codemod."""
    width = max((len(codemod.id) for codemod in codemods), default=0)
    for codemod in codemods:
        yield f"{codemod.id.ljust(width)}  {codemod.title}"


def codes(codemods: Sequence[Codemod]) -> list[str]:
    """Everything that `explain` knows by name."""
    own = [code for codemod in codemods for code in (codemod.id, *codemod.faults, *codemod.reasons, *codemod.effects)]
    return list(dict.fromkeys([*own, *COMMON, *EFFECTS]))


def explain_name(name: str, codemods: Sequence[Codemod]) -> list[str]:
    """The explanation of a codemod, a reason or an effect; empty where there is none by that name."""
    for codemod in codemods:
        if codemod.id == name:
            return list(_codemod(codemod))
    lines = []
    for codemod in codemods:
        kinds = (("a fault", codemod.faults), ("a reason", codemod.reasons), ("an effect", codemod.effects))
        for kind, texts in kinds:
            if name in texts:
                lines += [f"{name}: {kind} of {codemod.id}", "", texts[name], ""]
                shown = [e for e in codemod.examples if name in (e.fault, e.reason, *e.effects)]
                lines += [line for example in shown[:1] for line in _example(example)]
    if name in COMMON:
        lines = lines or [f"{name}: a reason of every codemod", "", COMMON[name]]
    if name in EFFECTS:
        lines = [f"{name}: an effect of every codemod", "", EFFECTS[name]]
    return lines


def _codemod(codemod: Codemod) -> Iterator[str]:
    yield f"{codemod.id}: {codemod.title}"
    yield ""
    yield from codemod.explanation.strip().splitlines()
    for example in codemod.examples:
        yield ""
        yield from _example(example)
    tables = (("Faults", codemod.faults), ("Effects", codemod.effects), ("Reasons of a refusal", codemod.reasons))
    for title, texts in tables:
        if texts:
            yield ""
            yield f"{title}:"
            yield from (f"  {code}: {text}" for code, text in texts.items())


def _example(example: Example) -> Iterator[str]:
    yield f"{example.title}:"
    yield "  before:"
    yield from _indented(example.before)
    if example.after is None:
        yield "  stays as it is" + (f", with the reason {example.reason}" if example.reason else "")
        return
    yield "  after" + (f" (effects: {', '.join(example.effects)})" if example.effects else "") + ":"
    yield from _indented(example.after)


def _indented(text: str) -> Iterator[str]:
    return (f"    {line}".rstrip() for line in text.strip("\n").splitlines())


def explain_site(outcome: Outcome, line: int) -> list[str]:
    """What is said of the sites that hold a line; empty where none does."""
    return [
        text for site in sites_of(outcome) if site.line <= line <= site.end_line for text in _site(outcome.path, site)
    ]


def _site(path: str, site: SiteReport) -> Iterator[str]:
    where = f"{path}:{site.line}" + (f"-{site.end_line}" if site.end_line != site.line else "")
    word = status_word(site)
    kind = f" ({site.applicability})" if site.applicability and site.applicability != word else ""
    yield f"{where}: {site.codemod}: {word}{kind}"
    if site.fault:
        yield f"  fault {site.fault.code} ({site.fault.severity}): {site.fault.message}"
    if site.reason:
        yield f"  reason {site.reason.code}: {site.reason.message}"
    for effect in site.effects:
        yield f"  effect {effect.code}, line {effect.line}: {effect.message}"
    for certificate in site.certificates:
        yield f"  certificate {certificate.verdict}"
        yield f"    before: {certificate.before}"
        yield f"    after:  {certificate.after}"
        yield from (f"    {step}" for step in certificate.steps)

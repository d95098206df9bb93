"""Which files make one commit, and what its message says: words for people, and trailers that all is found by again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ormlift.model import Planned, SiteReport, Source, Status

from ormlift_cli.history import plain
from ormlift_cli.phasing import Phasing
from ormlift_cli.rollout import Commits


@dataclass(frozen=True)
class Composer:
    """Groups the plans of a run, and writes the messages."""

    choice: Commits
    phasing: Phasing
    prefix: str  # of the root, relative to the top of the work tree
    run: str
    phase: str  # that was asked for; empty: each site's own
    unsafe: bool = False

    def key(self, plan: Planned) -> str:
        """Plans of the same key make one commit."""
        if self.choice.by == "directory":
            return str(PurePosixPath(self.prefix + plan.path).parent)
        if self.choice.by == "owner":
            return " ".join(self.phasing.owner_of(plan.path)) or "nobody"
        return self.prefix + plan.path

    def message(self, plans: Sequence[Planned]) -> str:
        """The message of the commit of these files."""
        sites = [(plan, site) for plan in plans for site in plan.sites if site.status is Status.REWRITTEN]
        codemods = sorted({site.codemod for _, site in sites})
        phases = self._phases(sites)
        effects = sorted({effect.code for _, site in sites for effect in site.effects})
        fields = {
            "file": self._files(plans),
            "codemods": ", ".join(codemods),
            "sites": "\n".join(_line(site, plan.before) for plan, site in sites),
            "count": str(len(sites)),
            "phase": ", ".join(phases) or "no phase",
            "run": self.run,
            "directory": plain(str(PurePosixPath(self.prefix + plans[0].path).parent)),
            "owner": " ".join(self.phasing.owner_of(plans[0].path)) or "nobody",
            "effects": ", ".join(effects) or "none",
        }
        body = self.choice.message.format_map(fields).rstrip()
        return "\n".join([body, "", *self._trailers(plans, phases, codemods, len(sites)), ""])

    def _phases(self, sites: Sequence[tuple[Planned, SiteReport]]) -> list[str]:
        if self.phase:
            return [self.phase]
        found = (self.phasing.phase_of(plan.path, site.codemod) for plan, site in sites)
        return list(dict.fromkeys(name for name in found if name))

    def _files(self, plans: Sequence[Planned]) -> str:
        if len(plans) == 1:
            return plain(self.prefix + plans[0].path)
        key = self.key(plans[0])
        of = {"directory": f"in {'the top directory' if key == '.' else key}", "owner": f"of {key}"}
        return plain(f"{len(plans)} files {of[self.choice.by]}")

    def _trailers(self, plans: Sequence[Planned], phases: list[str], codemods: list[str], count: int) -> list[str]:
        verdicts = Counter(
            str(certificate.verdict)
            for plan in plans
            for site in plan.sites
            if site.status is Status.REWRITTEN
            for certificate in site.certificates
        )
        certified = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
        return [
            f"Ormlift-Run: {self.run}",
            *(f"Ormlift-Phase: {name}" for name in phases),
            f"Ormlift-Codemod: {', '.join(codemods)}",
            f"Ormlift-Sites: {count}",
            *([f"Ormlift-Certified: {certified}"] if certified else []),
            *(["Ormlift-Unsafe: yes"] if self.unsafe else []),
            *(line for plan in plans for line in self._of_file(plan)),
        ]

    def _of_file(self, plan: Planned) -> list[str]:
        path = plain(self.prefix + plan.path)
        rewrote: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        for site in plan.sites:
            if site.status is Status.REWRITTEN:
                rewrote[site.codemod] += 1
            elif site.status is Status.REFUSED and site.reason:
                refused[f"{site.reason.code} {site.codemod}"] += 1
        lines = [f"Ormlift-File: {path}"]
        for key, counts in (("Rewrote", rewrote), ("Refused", refused)):
            lines += [f"Ormlift-{key}: {number} {what} {path}" for what, number in sorted(counts.items())]
        return lines


def batches(plans: Sequence[Planned], keys: Mapping[str, str], size: int) -> list[list[Planned]]:
    """Batches of at least `size` files, but for the last; no group is cut."""
    groups: dict[str, list[Planned]] = {}
    for plan in plans:
        groups.setdefault(keys[plan.path], []).append(plan)
    found: list[list[Planned]] = []
    for group in groups.values():
        if found and len(found[-1]) < size:
            found[-1] += group
        else:
            found.append(list(group))
    return found


def _line(site: SiteReport, before: Source) -> str:
    effects = ", ".join(dict.fromkeys(effect.code for effect in site.effects))
    lines = f"line {site.line}" if site.line == site.end_line else f"lines {site.line}-{site.end_line}"
    return f"- {site.codemod}: {lines} of {plain(before.path)}" + (f"; effects: {effects}" if effects else "")

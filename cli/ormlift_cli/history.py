"""What the branch's history says of runs: read from the trailers of commits, so that it is the same in any clone.

Ormlift-Run: 20260314-101500-1f2e        the run; a rollback is a run too
Ormlift-Phase: web routes                 one line for each phase that the commit's sites are of
Ormlift-Codemod: session-scope            all of them in one line
Ormlift-Sites: 3                          rewritten
Ormlift-File: app/web.py                  one line for each file
Ormlift-Rewrote: 3 session-scope app/web.py
Ormlift-Refused: 1 handed-on session-scope app/web.py
Ormlift-Certified: 2 proven, 1 tested
Ormlift-Reverts: 0a1b..                   of a rollback: the commit that it takes back
Ormlift-Rollback: 20260314-101500-1f2e    of a rollback: the run of that commit
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift_cli.git import Repository

_TRAILER = re.compile(r"^Ormlift-([A-Za-z]+): (.*)$", re.MULTILINE)
_BY_HAND = re.compile(r"^This reverts commit ([0-9a-f]{40,64})", re.MULTILINE)
_REWROTE = re.compile(r"(\d+) (\S+) (.+)")
_REFUSED = re.compile(r"(\d+) (\S+) (\S+) (.+)")
_GREP = ("^Ormlift-Run: ", "^Ormlift-Reverts: ", "^This reverts commit ")


@dataclass(frozen=True)
class Delta:
    """What a commit did to one file."""

    path: str  # relative to the top of the work tree
    mode: str
    old: str  # the blob before; all zeros: there was no file
    new: str


@dataclass(frozen=True)
class Made:
    """A commit that ormlift made."""

    commit: str
    parent: str
    time: int  # seconds since the epoch
    title: str
    run: str
    files: tuple[Delta, ...]
    phases: tuple[str, ...] = ()
    codemods: tuple[str, ...] = ()
    rewrote: tuple[tuple[int, str, str], ...] = ()  # sites, codemod, path
    refused: tuple[tuple[int, str, str, str], ...] = ()  # sites, reason, codemod, path
    reverts: str = ""  # the commit that it takes back
    undoes: str = ""  # the run that it takes back
    unsafe: bool = False  # rewrites that have effects were asked for


@dataclass(frozen=True)
class Entry:
    """One file of a commit that ormlift made, not taken back since."""

    made: Made
    delta: Delta

    @property
    def path(self) -> str:
        """The file, relative to the top of the work tree."""
        return self.delta.path

    @property
    def run(self) -> str:
        """The run that made it."""
        return self.made.run

    @property
    def commit(self) -> str:
        """The commit."""
        return self.made.commit


@dataclass
class History:
    """All that is known of runs on the current branch."""

    entries: list[Entry] = field(default_factory=list)  # newest first
    made: list[Made] = field(default_factory=list)  # every commit of a run, newest first, also those taken back
    mixed: dict[str, Made] = field(default_factory=dict)  # commits that change other files than they name
    shallow: bool = False  # older runs may lie behind the end of a shallow clone

    @property
    def runs(self) -> list[str]:
        """Every run, newest first."""
        return list(dict.fromkeys(made.run for made in self.made if made.run))

    def is_rollback(self, run: str) -> bool:
        """Whether a run took others back."""
        return any(made.undoes for made in self.made if made.run == run)


def read_history(repository: Repository) -> History:
    """Read the history that HEAD stands on."""
    history = History(shallow=repository.is_shallow())
    commits = list(_commits(repository))
    known = {made.commit for made, _ in commits}
    gone: set[tuple[str, str]] = set()  # (commit or run, path); newest first: a revert is met before what it reverts
    for made, by_hand in commits:
        live = [delta for delta in made.files if not _names(made, delta) & gone]
        if made.reverts:  # after a rebase the commit has another id, and its run still the same
            what = made.reverts if made.reverts in known else made.undoes
            gone |= {(what, delta.path) for delta in live}
        elif live or not made.files:
            gone |= {(commit, "*") for commit in by_hand}
        if made.run:
            history.made.append(made)
            _sort_in(made, live, history)
    return history


def _names(made: Made, delta: Delta) -> set[tuple[str, str]]:
    return {(made.commit, delta.path), (made.commit, "*"), (made.run, delta.path)}


def _sort_in(made: Made, live: list[Delta], history: History) -> None:
    named = {path for _, _, path in made.rewrote}
    if {plain(delta.path) for delta in made.files} <= named:
        history.entries += [Entry(made, delta) for delta in live]
    elif live:
        history.mixed[made.commit] = made


def _commits(repository: Repository) -> Iterator[tuple[Made, list[str]]]:
    """The commits that speak of ormlift or of a revert, newest first, and those that the latter take back."""
    command = ["log", "-z", "--raw", "--no-abbrev", "--no-renames", "--topo-order", "--format=%x01%H %ct %P%n%B"]
    greps = (f"--grep={mark}" for mark in _GREP)
    output = repository.run("-c", "log.showSignature=false", *command, *greps, "HEAD")
    head, deltas = "", []
    tokens = iter(output.split(b"\0"))
    for token in tokens:
        if token.lstrip(b"\n").startswith(b":"):
            _, mode, old, new, _ = token.strip().decode().split()
            deltas.append(Delta(os.fsdecode(next(tokens)), mode, old, new))
        elif token.startswith(b"\x01"):
            if head:
                yield _made(head, deltas)
            head, deltas = token[1:].decode("utf-8", "surrogateescape"), []
    if head:
        yield _made(head, deltas)


def _made(head: str, deltas: list[Delta]) -> tuple[Made, list[str]]:
    ids, _, message = head.partition("\n")
    commit, time, *parents = ids.split()
    told: dict[str, list[str]] = {}
    for key, value in _TRAILER.findall(message):
        told.setdefault(key, []).append(value)
    rewrote = [(int(m[1]), m[2], m[3]) for v in told.get("Rewrote", ()) if (m := _REWROTE.fullmatch(v))]
    rewrote += [(0, "", path) for path in told.get("File", ()) if path not in {own[2] for own in rewrote}]
    made = Made(
        commit,
        parents[0] if len(parents) == 1 else "",
        int(time),
        message.partition("\n")[0],
        told.get("Run", [""])[-1],
        tuple(deltas) if len(parents) == 1 else (),
        tuple(told.get("Phase", ())),
        tuple(name for line in told.get("Codemod", ()) for name in line.split(", ")),
        tuple(rewrote),
        tuple((int(m[1]), m[2], m[3], m[4]) for v in told.get("Refused", ()) if (m := _REFUSED.fullmatch(v))),
        told.get("Reverts", [""])[-1],
        told.get("Rollback", [""])[-1],
        "Unsafe" in told,
    )
    return made, _BY_HAND.findall(message)


def plain(path: str) -> str:
    """A path as one line of text."""
    return path if path.isprintable() else ascii(path)

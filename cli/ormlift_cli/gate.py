"""What a changed file must pass before it is committed; one that does not is taken back, and the others go on.

First what costs little: the new text is read again, compared with the old one, and compiled with the project's own
Python. Then, where it is asked for, the module is imported, and the project's tests are run on a number of files at
once; if they fail, the files that are to blame are found by halving.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ormlift.model import Source, UserError
from ormlift.source import decode
from ormlift.verify import lost_comments, undefined

from ormlift_cli.landing import Bench, Change, Fault
from ormlift_cli.rollout import Gate
from ormlift_cli.trial import Python, run_tests, tail


@dataclass
class Gatekeeper:
    """Tries the files of one run."""

    root: Path
    base: Path  # what the paths of changes are relative to
    choice: Gate
    notes: list[str] = field(default_factory=list)
    tests: int = 0  # how often they ran

    def __post_init__(self) -> None:
        self._python = Python.of(self.root, self.choice.python)

    @property
    def batch(self) -> int:
        """The number of files that are tried together; 0: as many as one likes."""
        return self.choice.test_every if self.choice.test else 0

    def baseline(self) -> None:
        """Run the tests before anything is changed. Raises UserError where they fail already."""
        if not self.choice.test:
            return
        fault = self._test()
        if fault:
            raise UserError(f"the tests fail before anything is changed, so they cannot tell: {tail(fault.output, 3)}")

    def check(self, changes: Sequence[Change], bench: Bench) -> dict[str, Fault]:
        """Try the changes; those without a fault are left in place."""
        faults = self._read_again(changes)
        good = [change for change in changes if change.path not in faults]
        faults |= self._python.compile(good)
        good = [change for change in good if change.path not in faults]
        faults |= bench.put_in(good)
        good = [change for change in good if change.path not in faults]
        if self.choice.import_check:
            for change in good:
                fault = self._import(change, bench)
                faults |= {change.path: fault} if fault else {}
            good = [change for change in good if change.path not in faults]
        if self.choice.test and good:
            faults |= self._halve(good, bench)
        return faults

    def _read_again(self, changes: Sequence[Change]) -> dict[str, Fault]:
        """What was verified when it was planned, asked of the bytes that are to be written."""
        faults = {}
        for change in changes:
            what = _broken(change)
            if what:
                faults[change.path] = Fault(f"the gate took it back: {what}", "verify")
        return faults

    def _import(self, change: Change, bench: Bench) -> Fault | None:
        """Import the module in a process of its own; a module that could not be imported before is not to blame."""
        path = self.base / change.path
        output = self._python.import_file(path)
        if output is None:
            return None
        bench.take_out([change])
        if self._python.import_file(path) is None:
            why = f"the gate took it back: it cannot be imported any more: {tail(output, 1)}"
            return Fault(why, "import", output)
        self.notes.append(f"{change.path}: cannot be imported, changed or not: {tail(output, 1)}")
        return bench.put_in([change]).get(change.path)

    # The tests

    def _test(self) -> Fault | None:
        self.tests += 1
        code, output = run_tests(self.choice.test, self.root, self.choice.test_timeout)
        if code == 0:
            return None
        why = f"the gate took it back: the tests fail with it: {tail(output, 1) or f'exit code {code}'}"
        return Fault(why, "test", output)

    def _halve(self, changes: Sequence[Change], bench: Bench) -> dict[str, Fault]:
        """All of the changes are in place: find those with which the tests fail, and take them out."""
        fault = self._test()
        if fault is None:
            return {}
        bench.take_out(changes)
        if len(changes) == 1:
            return {changes[0].path: fault}
        faults = self._parts(changes, bench)
        if not faults:
            self.notes.append(f"the tests failed once with {len(changes)} files and then passed: they are not stable")
        return faults

    def _parts(self, changes: Sequence[Change], bench: Bench) -> dict[str, Fault]:
        """Each half on its own, on top of what was good before it."""
        middle = (len(changes) + 1) // 2
        first, second = changes[:middle], changes[middle:]
        faults = self._half(first, bench)
        if not faults and len(second) > 1:
            return self._parts(second, bench)  # the first half is good: no need to ask whether the second is
        return faults | self._half(second, bench)

    def _half(self, changes: Sequence[Change], bench: Bench) -> dict[str, Fault]:
        faults = bench.put_in(changes)
        left = [change for change in changes if change.path not in faults]
        return faults | (self._halve(left, bench) if left else {})


def _broken(change: Change) -> str:
    """What of the promises the new bytes break; empty: none."""
    try:
        before, after = (decode(change.path, data or b"") for data in (change.before, change.after))
        ast.parse(after.text)
    except (SyntaxError, ValueError) as error:
        return f"it does not parse: {error}"
    lost = lost_comments(before.text, after.text)
    if lost:
        return f"a comment was lost: {lost[0]}"
    return _layout(before, after)


def _layout(before: Source, after: Source) -> str:
    if (before.encoding, before.bom) != (after.encoding, after.bom):
        return "its encoding changed"
    try:
        loose = sorted(undefined(after.text) - undefined(before.text))
    except SyntaxError:
        return ""  # what Python refuses beyond its grammar is the compiler's to tell
    bound = [name for name in loose if name in before.text]
    return f"{bound[0]} is read and bound nowhere any more" if bound else ""

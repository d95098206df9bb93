"""Programs of the project, run to try a change: its Python, and its tests. Only where the user asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ormlift.model import UserError

from ormlift_cli.landing import Change, Fault

_IMPORT_TIMEOUT = 120  # seconds
_KEPT = 20_000  # characters of output
# Compiled files go stale within a second where two versions of a module have the same size.
_FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}
_COMPILE = """
import json, sys, warnings
warnings.simplefilter("ignore")
def wrong(path, text):
    try:
        compile(text.encode("latin-1"), path, "exec", 0, True)
    except (SyntaxError, ValueError) as error:
        return "line %s: %s" % (getattr(error, "lineno", "?"), getattr(error, "msg", None) or error)
for line in sys.stdin:
    path, before, after = json.loads(line)
    found = wrong(path, after)
    print(json.dumps(found if found and not wrong(path, before) else None))
"""
_IMPORT = """
import importlib, importlib.util, sys
path, name, *places = sys.argv[1:]
sys.path[:0] = places
if name:
    importlib.import_module(name)
else:
    spec = importlib.util.spec_from_file_location("module_under_check", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""


@dataclass(frozen=True)
class Python:
    """The project's own Python."""

    root: Path
    program: str  # empty: the one that ormlift itself runs on

    @classmethod
    def of(cls, root: Path, chosen: str) -> Python:
        """The Python that was chosen, else that of the project's virtual environment. Raises UserError."""
        if chosen:
            program = root / chosen if os.sep in chosen else Path(chosen)
            if os.sep in chosen and not os.access(program, os.X_OK):
                raise UserError(f"gate.python: {program} is not a program")
            return cls(root, str(program))
        folders = [Path(active)] if (active := os.environ.get("VIRTUAL_ENV")) else []
        for folder in (*folders, root / ".venv", root / "venv"):
            for name in ("bin/python", "Scripts/python.exe"):
                if os.access(folder / name, os.X_OK):
                    return cls(root, str(folder / name))
        return cls(root, "")

    def compile(self, changes: Sequence[Change]) -> dict[str, Fault]:
        """The faults that its compiler finds in new texts and does not find in the old ones."""
        if self.program in ("", sys.executable):
            told = [fault(c.path, c.after or b"") if not fault(c.path, c.before or b"") else "" for c in changes]
        else:
            told = self._asked(changes)
        why = "the gate took it back: it does not compile"
        pairs = zip(changes, told, strict=True)
        return {change.path: Fault(f"{why}: {what}", "compile", what) for change, what in pairs if what}

    def _asked(self, changes: Sequence[Change]) -> list[str]:
        lines = (
            json.dumps([c.path, (c.before or b"").decode("latin-1"), (c.after or b"").decode("latin-1")])
            for c in changes
        )
        command = [self.program, "-I", "-S", "-c", _COMPILE]
        try:
            done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            what = tail(getattr(error, "stderr", "") or str(error), 1)
            raise UserError(f"the project's Python ({self.program}) cannot be run: {what}; set gate.python") from None
        return [json.loads(line) or "" for line in done.stdout.splitlines()]

    def import_file(self, path: Path) -> str | None:
        """What went wrong when a module was imported in a process of its own; None: nothing."""
        place, name = import_name(path, self.root)
        command = [self.program or sys.executable, "-c", _IMPORT, str(path), name]
        command += dict.fromkeys([str(place), str(self.root)])
        code, output = _run(command, self.root, _IMPORT_TIMEOUT)
        return None if code == 0 else output or f"exit code {code}"


def import_name(path: Path, root: Path) -> tuple[Path, str]:
    """Where a module is imported from, and its name; an empty name where it has none that Python could import."""
    top = path.parent
    while (top / "__init__.py").exists() and top != root:
        top = top.parent
    if top == path.parent and path.is_relative_to(root):
        top = root / "src" if path.is_relative_to(root / "src") else root  # a namespace, or a script's own folder
    parts = list(path.relative_to(top).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return top, ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""


def fault(path: str, data: bytes) -> str:
    """What our own compiler finds in a text; empty: nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"line {getattr(error, 'lineno', '?')}: {getattr(error, 'msg', '') or error}"
    return ""


def run_tests(command: str, root: Path, timeout: int) -> tuple[int, str]:
    """Run the project's tests; their exit code and the end of what they said."""
    return _run(command, root, timeout)


def _run(command: str | Sequence[str], cwd: Path, timeout: int) -> tuple[int, str]:
    """Run a program in a group of its own, so that nothing it starts outlives us."""
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            command,
            shell=isinstance(command, str),
            cwd=cwd,
            env={**os.environ, **_FRESH},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        late = ""
        try:
            process.wait(timeout or None)
        except subprocess.TimeoutExpired:
            late = f"it did not end within {timeout} seconds\n"
        finally:
            _end_group(process)
        told.seek(max(0, told.seek(0, os.SEEK_END) - _KEPT))
        return (124 if late else process.returncode), told.read().decode(errors="replace") + late


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and of all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def tail(output: str, lines: int) -> str:
    """The last lines of an output that say something, in one line."""
    said = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(said[-lines:])[-500:]

"""How a command ends: its exit code, and one line where something went wrong."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NoReturn

import typer
from ormlift.model import Failed, Outcome, Planned, UserError

from ormlift_cli.git import GitError

DONE, PENDING, MISTAKE, FAILED = 0, 1, 2, 3


def leave(command: Callable[[], int]) -> NoReturn:
    """Run a command, and leave with its exit code. A traceback is shown only with -vv."""
    try:
        code = command()
        sys.stdout.flush()
    except UserError as error:
        code = _failed(f"ormlift: {error}", MISTAKE)
    except GitError as error:
        code = _failed(f"ormlift: git failed: {error}", FAILED)
    except KeyboardInterrupt as error:
        done = error.args[0] if error.args else "nothing was written"
        code = _failed(f"ormlift: interrupted: {done}", 143 if isinstance(error, TerminatedError) else 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        code = 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            code = _bug(error)
        else:
            code = _failed(f"ormlift: the disk is full ({error.strerror}); free some space and run it again", FAILED)
    except Exception as error:  # noqa: BLE001, RUF100 - the last resort: people get a line, not a traceback
        code = _bug(error)
    raise typer.Exit(code)


def _bug(error: Exception) -> int:
    line = next(iter(str(error).splitlines()), "")
    hint = "this is a bug of ormlift; run again with -vv and report what it shows"
    return _failed(f"ormlift: {type(error).__name__}: {line}; {hint}", 70)


def _failed(line: str, code: int) -> int:
    if any(argument.startswith("-vv") for argument in sys.argv):
        import traceback

        traceback.print_exc()
    print(line, file=sys.stderr)  # noqa: T201
    return code


class TerminatedError(KeyboardInterrupt):
    """SIGTERM: cleared up after as Ctrl-C is."""


def terminated(_: int, __: FrameType | None) -> NoReturn:
    """Handle SIGTERM."""
    raise TerminatedError


def code_of(outcomes: Iterable[Outcome], mistakes: list[str], *, pending: bool = False) -> int:
    """The exit code that a survey's outcomes come to; with `pending`, also where something is left to rewrite."""
    outcomes = list(outcomes)
    blocked = set(mistakes)
    if any(isinstance(outcome, Failed) and outcome.path not in blocked for outcome in outcomes):
        return FAILED
    if mistakes:
        return MISTAKE
    return PENDING if pending and any(isinstance(outcome, Planned) for outcome in outcomes) else DONE

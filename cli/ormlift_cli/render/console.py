"""The terminal: what goes to stdout and stderr, in color where somebody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


class Color(StrEnum):
    """Whether to color."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True)
class Console:
    """Where words go, and how many of them."""

    verbose: int = 0
    quiet: bool = False
    color: Color = Color.AUTO

    def say(self, text: str = "") -> None:
        """A line for people, on stderr; nothing with -q."""
        if not self.quiet:
            print(text, file=sys.stderr)  # noqa: T201

    def warn(self, text: str) -> None:
        """A line that must be seen, also with -q."""
        print(text, file=sys.stderr)  # noqa: T201

    def out(self, text: str) -> None:
        """A line of the result, on stdout."""
        print(text)  # noqa: T201

    def diff(self, data: bytes) -> None:
        """A diff on stdout, byte for byte; in color on a terminal."""
        if not data:
            return
        if self.colored(sys.stdout):
            data = b"".join(_colored_line(line) for line in data.splitlines(keepends=True))
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def paint(self, text: str, *styles: str, stream: TextIO | None = None) -> str:
        """The text in color, where the stream (stderr if not told) takes it."""
        if not self.colored(stream or sys.stderr):
            return text
        return f"\033[{';'.join(_CODES[style] for style in styles)}m{text}\033[0m"

    def colored(self, stream: TextIO) -> bool:
        """Whether color is wanted on a stream."""
        if self.color is Color.AUTO:
            return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return self.color is Color.ALWAYS

    def progress(self) -> Bar:
        """A progress bar: shown on a terminal only."""
        return Bar(shown=sys.stderr.isatty() and not self.quiet)


def _colored_line(line: bytes) -> bytes:
    body = line.rstrip(b"\r\n")
    end = line[len(body) :]
    if body.startswith((b"--- ", b"+++ ")):
        code = b"1"
    elif body.startswith(b"@@"):
        code = b"36"
    elif body[:1] in (b"-", b"+"):
        code = b"31" if body[:1] == b"-" else b"32"
    else:
        return line
    return b"\033[" + code + b"m" + body + b"\033[0m" + end


@dataclass
class Bar(AbstractContextManager["Bar"]):
    """How far the stages of a run are."""

    shown: bool
    _live: Progress | None = field(default=None, init=False)

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """A stage begins; call the answer with each number of steps done."""
        if not self.shown or not total:
            return _nothing
        live = self._started()
        task = live.add_task(name, total=total)
        return lambda steps: live.advance(task, steps)

    def _started(self) -> Progress:
        if self._live is None:
            from rich.console import Console as RichConsole
            from rich.progress import Progress

            self._live = Progress(console=RichConsole(stderr=True), transient=True)
            self._live.start()
        return self._live

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _nothing(_: int) -> None:
    return

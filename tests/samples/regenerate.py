"""Write the golden dry runs of the samples anew: `python -m tests.samples.regenerate [NAME..]`.

Read each changed hunk before it is committed: a golden file is a claim that a careful engineer would write this.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.samples.sample import NAMES, SAMPLES, copy, golden


def main(names: list[str]) -> None:
    """Regenerate the golden files of the named samples, all where none is named."""
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            texts = golden(copy(name, Path(scratch) / name))
        for file, text in texts.items():
            (SAMPLES / name / file).write_text(text, encoding="utf-8", newline="")


if __name__ == "__main__":
    main(sys.argv[1:])

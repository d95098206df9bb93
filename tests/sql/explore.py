"""Many more generated statements than CI runs: python -m tests.sql.explore FILE EXAMPLES.

Batches are seeded by their number and noted in FILE as they end, so that a second call goes on where the first stopped.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .test_property import STATEMENTS, VALUES, check

BATCH = 250
CERTIFIED = 5  # of so many statements one is proven as well; all are executed


def explore(log: Path, examples: int, first: int, step: int) -> None:
    done = (
        {int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("batch ")}
        if log.exists()
        else set()
    )
    for number in range(first, -(-examples // BATCH), step):
        if number not in done:
            _batch(number, log)


def _batch(number: int, log: Path) -> None:
    ran, failed = [0], [0]

    @seed(number)
    @settings(
        max_examples=BATCH, deadline=None, database=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(STATEMENTS, st.lists(VALUES, min_size=40, max_size=40), st.booleans())
    def run(sql: str, values: list[Any], query: bool) -> None:
        ran[0] += 1
        try:
            check(sql, values, "query" if query else "select", certified=ran[0] % CERTIFIED == 0)
        except Exception:
            failed[0] += 1
            with log.open("a") as file:
                told = traceback.format_exc().strip().splitlines()[-1]
                file.write(f"failed {sql!r} {values!r} {query} {told[:400]}\n")

    run()
    with log.open("a") as file:
        file.write(f"batch {number} ran {ran[0]} failed {failed[0]}\n")


if __name__ == "__main__":
    explore(Path(sys.argv[1]), int(sys.argv[2]), *(int(word) for word in sys.argv[3:5] or ("0", "1")))

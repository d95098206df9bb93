"""Many more generated statements than CI runs: python -m tests.sql.explore FILE EXAMPLES [DIALECT].

Without a dialect the statements of the jobs are run on SQLite, some of them certified; with one (sqlite, postgresql,
mysql) those of the shop on that engine. Batches are seeded by their number and noted in FILE as they end, so that a
second call goes on where the first stopped.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from . import generated, test_property, test_property_servers
from .shop import Server, server

BATCH = 250
CERTIFIED = 5  # of so many statements one is proven as well; all are executed
Check = Callable[[Any, int], None]


def explore(log: Path, examples: int, given_: st.SearchStrategy[Any], check: Check) -> None:
    """Runs the batches that the log does not have yet."""
    lines = log.read_text().splitlines() if log.exists() else []
    done = {int(line.split()[1]) for line in lines if line.startswith("batch ")}
    for number in range(-(-examples // BATCH)):
        if number not in done:
            _batch(number, log, given_, check)


def _batch(number: int, log: Path, given_: st.SearchStrategy[Any], check: Check) -> None:
    ran, failed = [0], [0]

    @seed(number)
    @settings(
        max_examples=BATCH, deadline=None, database=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(given_)
    def run(example: Any) -> None:
        ran[0] += 1
        try:
            check(example, ran[0])
        except Exception:
            failed[0] += 1
            told = traceback.format_exc().strip().splitlines()[-1]
            with log.open("a") as file:
                file.write(f"failed {example!r} {told[:400]}\n")

    run()
    with log.open("a") as file:
        file.write(f"batch {number} ran {ran[0]} failed {failed[0]}\n")


_STYLES = st.sampled_from(("query", "select"))
JOBS = st.tuples(test_property.STATEMENTS, st.lists(test_property.VALUES, min_size=40, max_size=40), _STYLES)
SHOP = st.tuples(generated.STATEMENTS, _STYLES)


def _jobs(example: Any, number: int) -> None:
    test_property.check(*example, certified=number % CERTIFIED == 0)


def _shop(found: Server) -> Check:
    def check(example: Any, number: int) -> None:
        test_property_servers.check(found, *example)

    return check


if __name__ == "__main__":
    if len(sys.argv) > 3:
        with server(sys.argv[3]) as found:
            explore(Path(sys.argv[1]), int(sys.argv[2]), SHOP, _shop(found))
    else:
        explore(Path(sys.argv[1]), int(sys.argv[2]), JOBS, _jobs)

"""Proposed phases: every file with sites in exactly one, what users meet first, tests last."""

from ormlift.model import Fault, Outcome, Reason, Refused, Severity, SiteReport, Status, Unchanged
from ormlift_cli.globs import anchored, matcher
from ormlift_cli.phases import kind_of, propose


def refused(path: str, *codemods: str, severity: Severity | None = None) -> Refused:
    fault = Fault("a-fault", severity, "it fails") if severity else None
    sites = (SiteReport(c, 1, 1, Status.REFUSED, reason=Reason("why", "so"), fault=fault) for c in codemods)
    return Refused(path, tuple(sites))


OUTCOMES: list[Outcome] = [
    refused("web_app.py", *["session-scope"] * 21),
    refused("admin/services/user_service.py", *["session-scope"] * 11),
    refused("admin/services/cleanup.py", "session-scope"),
    refused("admin/routes/dashboard.py", "session-scope", "cursor-to-orm"),
    refused("scripts/fix.py", "cursor-to-orm", severity=Severity.CRITICAL),
    refused("tests/test_users.py", "session-scope"),
    refused("optimizer.py", *["session-scope"] * 8),
    Unchanged("admin/routes/about.py"),
]


def test_each_file_is_in_one_phase_and_its_globs_say_so() -> None:
    phases = propose(OUTCOMES)
    files = [path for phase in phases for path in phase.files]
    assert sorted(files) == sorted(o.path for o in OUTCOMES if isinstance(o, Refused))
    for phase in phases:
        named = matcher(anchored(phase.phase.paths))
        assert [o.path for o in OUTCOMES if isinstance(o, Refused) and named(o.path)] == [
            o.path for o in OUTCOMES if o.path in phase.files
        ]


def test_order_priorities_and_counts() -> None:
    found = [(p.phase.name, p.priority, p.sites, p.faults) for p in propose(OUTCOMES)]
    assert found == [
        ("web routes", "high", 23, 0),
        ("services", "medium", 12, 0),
        ("scripts", "low", 1, 1),
        ("the rest", "low", 8, 0),
        ("tests", "low", 1, 0),
    ]


def test_codemods_are_those_that_occur() -> None:
    assert propose(OUTCOMES)[0].phase.codemods == ("cursor-to-orm", "session-scope")
    assert propose(OUTCOMES)[1].phase.paths == ("admin/services/**",)


def test_a_large_phase_is_parted_by_directory() -> None:
    large: list[Outcome] = [
        refused(f"{folder}/routes/{n}.py", *["session-scope"] * 20) for folder in ("a", "b") for n in range(4)
    ]
    assert [p.phase.name for p in propose(large)] == ["web routes: a/routes", "web routes: b/routes"]


def test_kinds() -> None:
    kinds = {path: kind_of(path)[0] for path in ("app/crud.py", "app/core/x.py", "app/helper.py", "src/job_worker.py")}
    assert kinds == {
        "app/crud.py": "data access",
        "app/core/x.py": "the rest",
        "app/helper.py": "the rest",
        "src/job_worker.py": "workers",
    }

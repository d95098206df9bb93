"""Shapes of a session's life beyond try and finally, and what of a block goes with it: run before and after."""

from pathlib import Path

import pytest
from ormlift.model import Settings, Status

from tests.rules.session_runs import Case, files_of, plan_of, run_of

DROP = Settings(redundant_rollback="drop")
RENAME = """
        def work(name="new"):
            s = get_session()
            try:
                s.get(Job, 1).name = name
                s.commit()
            except SQLAlchemyError:
                s.rollback()
                raise
            except Exception as error:
                s.rollback()
                raise error
            finally:
                s.close()


        def twice():
            work("second")
        """
SAFE = (
    Case("handlers that only roll back", RENAME, "commits", calls=("work()", "twice()"), settings=DROP),
    Case(
        "a handler that does more, in front of one that only rolls back",
        """
        def work(name="second"):
            s = get_session()
            try:
                s.get(Job, 1).name = name
                s.commit()
            except SQLAlchemyError as error:
                s.rollback()
                return type(error).__name__
            except Exception:
                s.rollback()
                raise
            finally:
                s.close()
        """,
        "commits",
        calls=("work()", "work(1, 2)", "work(object())"),
        settings=DROP,
    ),
    Case(
        "a handler that a later one would stand in for",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="more"))
                s.flush()
                raise KeyError("x")
            except KeyError:
                s.rollback()
                raise
            except Exception:
                s.rollback()
                return "other"
            finally:
                s.close()
        """,
        "commits",
        settings=DROP,
    ),
    Case(
        "a last commit with a plain return behind it",
        """
        def work(name="more"):
            s = get_session()
            try:
                s.add(Job(name=name))
                s.commit()
                return {"name": name, "done": True}
            finally:
                s.close()
        """,
        "commits",
        calls=("work()", "work('first')", "work(None)"),
    ),
    Case(
        "a last commit with a return behind it that may raise",
        """
        def work(name="more"):
            s = get_session()
            try:
                s.add(Job(name=name))
                s.commit()
                return {"name": name, "length": len(name)}
            finally:
                s.close()
        """,
        "commits",
        calls=("work()", "work('first')", "work(None)"),
    ),
    Case(
        "a last commit whose value is read again behind it",
        """
        def work():
            s = get_session()
            try:
                job = Job(name="more")
                s.add(job)
                s.commit()
                return job.id
            finally:
                s.close()
        """,
        "commits",
    ),
    Case(
        "a last commit in a try with a handler",
        """
        def work(name="more"):
            s = get_session()
            try:
                s.add(Job(name=name))
                s.commit()
            except SQLAlchemyError:
                s.rollback()
                return "taken"
            finally:
                s.close()
        """,
        "commits",
        calls=("work()", "work('first')"),
    ),
    Case(
        "a nested function that the block calls",
        """
        def work():
            s = get_session()
            try:
                def count(done):
                    return s.query(Job).filter(Job.done == done).count()

                return [count(d) for d in (True, False)]
            finally:
                s.close()
        """,
        "reads",
    ),
    Case(
        "a transaction inside the session",
        """
        def work(name="more"):
            s = get_session()
            try:
                with s.begin():
                    s.add(Job(name=name))
                    if name == "early":
                        return "early"
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "commits",
        calls=("work()", "work('first')", "work('early')"),
    ),
    Case(
        "a loop that leaves early, each round with a session",
        """
        def work():
            found = []
            for name in ("a", "first", "stop", "never"):
                s = get_session()
                try:
                    if name == "stop":
                        break
                    if s.query(Job).filter_by(name=name).count():
                        continue
                    s.add(Job(name=name))
                    s.commit()
                    found.append(name)
                finally:
                    s.close()
            return found
        """,
        "commits",
    ),
    Case(
        "two sessions, one in the other",
        """
        def work():
            a = get_session()
            try:
                b = get_session()
                try:
                    b.add(Job(name="inner"))
                    b.commit()
                finally:
                    b.close()
                return a.query(Job).count()
            finally:
                a.close()
        """,
        "commits",
    ),
)


@pytest.mark.parametrize("case", SAFE, ids=lambda c: c.title)
def test_safe_means_equal(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {(site.status, site.effects) for site in outcome.sites} == {(Status.REWRITTEN, ())}
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")


@pytest.mark.parametrize(
    ("title", "left"),
    [
        ("handlers that only roll back", ""),
        ("a handler that does more, in front of one that only rolls back", "rollback() commit()"),
        ("a handler that a later one would stand in for", "rollback() rollback()"),
        ("a last commit with a plain return behind it", ""),
        ("a last commit with a return behind it that may raise", "commit()"),
        ("a last commit whose value is read again behind it", "commit()"),
        ("a last commit in a try with a handler", "rollback() commit()"),
        ("two sessions, one in the other", ""),
    ],
)
def test_only_what_the_scope_does_goes(title: str, left: str) -> None:
    (case,) = [c for c in SAFE if c.title == title]
    files, _ = plan_of(case)
    text = files["app/jobs.py"]
    assert sorted(left.split()) == ["commit()"] * text.count(".commit()") + ["rollback()"] * text.count(".rollback()")


def test_a_handler_that_only_rolls_back_stays_unless_asked() -> None:
    files, _ = plan_of(Case("kept", RENAME, "commits"))
    assert files["app/jobs.py"].count("s.rollback()") == 2


def test_what_nothing_closed_is_now_closed(tmp_path: Path) -> None:
    body = """
        held = []


        def work():
            s = get_session()
            held.append(s.get(Job, 1).name)
            s.add(Job(name="lost"))
            s.flush()
            return s.query(Job).count()
        """
    case = Case("never closed", body, "reads", ("now-closed",))
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == ["now-closed"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before["open"]  # the connection is still held
    assert {**before, "open": []} == after


def test_a_transaction_inside_a_scope_that_has_begun_one_is_refused() -> None:
    body = """
        def work():
            s = get_session()
            try:
                with s.begin():
                    return s.query(Job).count()
            finally:
                s.close()
        """
    case = Case("begun", body, "asks")
    with pytest.raises(AssertionError, match="transaction-control"):
        plan_of(case)


def test_blank_lines_of_the_module_stay_empty() -> None:
    body = """
        s = get_session()

        if s.query(Job).count():
            x = 1

        else:
            x = 2

        s.commit()

        print(x)
        s.close()
        """
    files, _ = plan_of(Case("script", body, "commits"))
    text = files["app/jobs.py"]
    assert (
        "    if s.query(Job).count():\n        x = 1\n\n    else:\n        x = 2\n\n    s.commit()\n\n    print(x)\n"
        in text
    )
    assert not [line for line in text.split("\n") if line != line.rstrip()]

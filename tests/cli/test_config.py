"""The configuration: what is taken, and one clear line for each mistake."""

import re

import pytest
from ormlift.model import ScopeChoice, UserError
from ormlift_cli.config import find_config
from ormlift_cli.rollout import Phase

WHOLE = """
[tool.ormlift]
session-scope = "app.db:session_scope"
dialect = "postgresql"
style = "select"
timestamps = "now-utc"
sqlalchemy = "1.4"
models = ["app/models"]
connections = ["app.db:connect"]
exclude = ["tests/**"]

[[tool.ormlift.scopes]]
scope = "unified_session_manager.get_db_session"
import = "app.sessions:unified_session_manager"
where = ["web_app.py", "admin/routes/**"]

[[tool.ormlift.scopes]]
scope = "app.jobs:scope"

[[tool.ormlift.phases]]
name = "web routes"
paths = ["web_app.py"]
codemods = ["toy"]
"""


def test_everything_is_read(tmp_path):
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    (tmp_path / "deep/er").mkdir(parents=True)
    config = find_config(tmp_path / "deep/er", tmp_path)
    assert config.path == tmp_path / "pyproject.toml"
    assert config.settings.scopes == (
        ScopeChoice("unified_session_manager.get_db_session", "app.sessions", ("web_app.py", "admin/routes/**")),
        ScopeChoice("scope", "app.jobs"),
        ScopeChoice("session_scope", "app.db"),
    )
    assert (config.settings.dialect, config.settings.style) == ("postgresql", "select")
    assert (config.settings.timestamps, config.settings.models) == ("now-utc", ("app/models",))
    assert config.settings.sqlalchemy == "1.4"
    assert config.settings.connections == ("app.db:connect",)
    assert config.exclude == ("tests/**",)
    assert config.phases == (Phase("web routes", ("web_app.py",), ("toy",)),)


CHOSEN = """
[[scopes]]
scope = "app.web:routes_scope"
where = ["web/**"]
decorated-by = "*.route"

[[scopes]]
scope = "app.web:admin_scope"
decorated-by = ["admin_required", "*.staff_only"]

[[scopes]]
scope = "app.db:service_scope"
in-class-with = "self.db_manager"
"""


def test_a_scope_may_be_chosen_by_decorator_and_by_class(tmp_path):
    (tmp_path / "ormlift.toml").write_text(CHOSEN)
    assert find_config(tmp_path, tmp_path).settings.scopes == (
        ScopeChoice("routes_scope", "app.web", ("web/**",), ("*.route",)),
        ScopeChoice("admin_scope", "app.web", (), ("admin_required", "*.staff_only")),
        ScopeChoice("service_scope", "app.db", in_class_with="db_manager"),
    )


SERVICE = """
[[scopes]]
scope = "self._session_scope"
in-class-with = "db_manager"
manager = "session_manager.get_db_session"
"""


def test_a_service_class_gets_a_scope_of_its_own(tmp_path):
    (tmp_path / "ormlift.toml").write_text(SERVICE + 'application = "flask:current_app.session_manager"\n')
    assert find_config(tmp_path, tmp_path).settings.scopes == (
        ScopeChoice(
            "self._session_scope",
            in_class_with="db_manager",
            manager="session_manager.get_db_session",
            application="flask:current_app.session_manager",
        ),
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (SERVICE.replace("self._session_scope", "app.db:scope"), "'manager' goes with scope = 'self.name'"),
        (SERVICE.replace("in-class-with", "where").replace('"db_manager"', "['x']"), "and 'in-class-with'"),
        (SERVICE.replace(".get_db_session", ""), "must be 'parameter.scope'"),
        (SERVICE + 'application = "flask:current_app"\n', "must be 'module:object.attribute'"),
        (SERVICE.replace("manager = ", "# ") + 'application = "flask:current_app.x"\n', "manager: is missing"),
    ],
)
def test_what_a_service_class_is_given_is_checked(tmp_path, wrong, says):
    (tmp_path / "ormlift.toml").write_text(wrong)
    with pytest.raises(UserError, match=re.escape(says)):
        find_config(tmp_path, tmp_path)


@pytest.mark.parametrize("wrong", ["decorated-by = 3", "decorated-by = ['']", "in-class-with = 'a b'"])
def test_what_a_scope_is_chosen_by_is_checked(tmp_path, wrong):
    (tmp_path / "ormlift.toml").write_text(f"[[scopes]]\nscope = 'app.web:scope'\n{wrong}\n")
    with pytest.raises(UserError, match=wrong.partition(" ")[0]):
        find_config(tmp_path, tmp_path)


def test_nothing_is_needed(tmp_path):
    config = find_config(tmp_path, tmp_path)
    assert (config.path, config.settings.dialect, config.settings.scopes) == (None, "", ())


def test_ormlift_toml_where_pyproject_has_no_table(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "ormlift.toml").write_text("dialect = 'mysql'\n")
    assert find_config(tmp_path, tmp_path).settings.dialect == "mysql"
    (tmp_path / "pyproject.toml").write_text("[tool.ormlift]\n")
    assert find_config(tmp_path, tmp_path).settings.dialect == ""  # what is likely, once the project is read


def test_not_looked_for_above_the_repository(tmp_path):
    (tmp_path / "ormlift.toml").write_text("dialect = 'mysql'\n")
    (tmp_path / "repo/sub").mkdir(parents=True)
    assert find_config(tmp_path / "repo/sub", tmp_path / "repo").path is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dialekt = 'sqlite'", "unknown key 'dialekt'; did you mean 'dialect'?"),
        ("dialect = 'sqlight'", "dialect: unknown value 'sqlight'; did you mean 'sqlite'?"),
        ("dialect = 3", "dialect: must be text in quotes, not a number"),
        ("exclude = 'tests'", "exclude: must be a list of texts in quotes, not text"),
        ("models = [1]", "models: must be a list of texts in quotes, not a list that holds something else"),
        (
            "session-scope = 'app.db.scope'",
            "session-scope: must be 'module:name' (as in 'app.db:session_scope'), not 'app.db.scope'",
        ),
        ("session-scope = 'app/db:scope'", "session-scope: 'app/db' is not a dotted name"),
        ("scopes = 'x'", "scopes: must be written [[tool.ormlift.scopes]], as a list of tables"),
        ("[[scopes]]\nwhere = []", "scopes[1].scope: is missing"),
        ("[[scopes]]\nscope = 'm.get'\nimport = 'a:n'", "must end in ':m', the first name of scope 'm.get'"),
        ("[[scopes]]\nscope = 'a:m'\nwher = ['x']", "scopes[1]: unknown key 'wher'; did you mean 'where'?"),
        ("[[scopes]]\nscope = 'a:m'\ndecorator = ['x']", "scopes[1]: unknown key 'decorator'"),
        ("[[phases]]\npaths = ['x']", "phases[1].name: is missing"),
        ("[[phases]]\nname = 'a'\n[[phases]]\nname = 'a'", "phases: two phases are named 'a'"),
        ("dialect = ", "not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_mistakes(tmp_path, text, message):
    (tmp_path / "ormlift.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        find_config(tmp_path, tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/ormlift.toml: ")
    assert message in said
    assert "\n" not in said


@pytest.fixture
def app(world):
    world.put("app/__init__.py", "")
    world.put(
        "app/db.py",
        "from contextlib import contextmanager\nfrom sqlalchemy.orm import sessionmaker\n"
        "Session = sessionmaker()\n\n\n@contextmanager\ndef session_scope():\n    s = Session()\n    try:\n"
        "        yield s\n        s.commit()\n    finally:\n        s.close()\n",
    )
    world.put("app/web.py", "legacy(1)\n")
    return world


@pytest.mark.parametrize(
    ("scope", "line"),
    [
        ("app.db:sesion_scope", "app/db.py does not define 'sesion_scope'; scopes found: app.db:session_scope"),
        ("app.bd:session_scope", "the project has no module 'app.bd'; scopes found: app.db:session_scope"),
    ],
)
def test_a_scope_that_cannot_be_imported_by_name(app, scope, line):
    app.put("ormlift.toml", f"session-scope = '{scope}'\n")
    app.commit()
    for command in ("diff", "apply"):
        done = app.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"ormlift: scope '{scope}': {line}\n"


def test_a_scope_that_is_there(app):
    app.put("ormlift.toml", "session-scope = 'app.db:session_scope'\n")
    app.commit()
    assert app.run("diff").returncode == 0


def test_a_scope_that_is_installed(app):
    app.put("ormlift.toml", "session-scope = 'company.db:scope'\n")
    app.commit()
    done = app.run("diff")
    assert done.returncode == 0
    assert "scope 'company.db:scope': 'company.db' is not in this project; taken as installed" in done.stderr


def test_exclude_and_phase(world):
    for path in ("web.py", "deep/web.py", "api/a.py", "api/deep/b.py", "tests/t.py"):
        world.put(path, "legacy(1)\n")
    world.put(
        "ormlift.toml",
        "exclude = ['tests/**']\n[[phases]]\nname = 'web'\npaths = ['web.py', 'api/*.py']\ncodemods = ['toy']\n",
    )
    world.commit()

    def changed(*arguments):
        diff = world.run("diff", *arguments).stdout
        return [line[6:] for line in diff.splitlines() if line.startswith("+++ b/")]

    assert changed() == ["api/a.py", "api/deep/b.py", "deep/web.py", "web.py"]
    assert changed("--phase", "web") == ["api/a.py", "web.py"]
    assert changed("--phase", "web", "api") == ["api/a.py"]
    assert changed("--exclude", "api/**", "--exclude", "deep/") == ["web.py"]
    done = world.run("diff", "--phase", "wed")
    assert (done.returncode, done.stderr) == (2, "ormlift: unknown phase 'wed'; did you mean 'web'?\n")


def test_a_phase_that_names_no_codemod(world):
    world.put("ormlift.toml", "[[phases]]\nname = 'web'\ncodemods = ['sesion']\n")
    world.commit()
    done = world.run("diff", "--phase", "web")
    assert (done.returncode, done.stderr) == (2, "ormlift: unknown codemod 'sesion'; known: toy\n")

import pytest

from tests.cli.world import World


@pytest.fixture
def world(tmp_path):
    """An empty repository."""
    return World(tmp_path / "project")


@pytest.fixture
def bare_world(tmp_path):
    """A directory that is in no repository."""
    return World(tmp_path / "project", git=False)

"""Every example of `detached-access`: found, told and changed as it says."""

import pytest
from ormlift.rules.base import Example
from ormlift.rules.detached_access import CODEMOD

from tests.rules.checks import check_example


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)

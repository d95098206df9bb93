"""The codemods, in the order they run."""

from ormlift.rules import (
    async_session,
    cursor_on_session,
    cursor_to_orm,
    dependency_lifecycle,
    detached_access,
    dto_drift,
    mapper_health,
    raw_access,
    service_scope,
    session_config,
    session_scope,
    swallowed_errors,
    text_to_orm,
)
from ormlift.rules.base import Codemod

ALL: tuple[Codemod, ...] = (
    service_scope.CODEMOD,
    session_scope.CODEMOD,
    cursor_to_orm.CODEMOD,
    text_to_orm.CODEMOD,
    cursor_on_session.CODEMOD,
    mapper_health.CODEMOD,
    session_config.CODEMOD,
    async_session.CODEMOD,
    dependency_lifecycle.CODEMOD,
    dto_drift.CODEMOD,
    raw_access.CODEMOD,
    swallowed_errors.CODEMOD,
    detached_access.CODEMOD,
)

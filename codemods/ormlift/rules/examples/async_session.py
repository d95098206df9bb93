"""Examples of `async-session`."""

from ormlift.rules.base import Example

EXAMPLES: tuple[Example, ...] = ()

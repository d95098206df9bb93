"""The parts of `async-session`."""

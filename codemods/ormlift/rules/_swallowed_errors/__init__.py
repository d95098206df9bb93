"""The parts of `swallowed-errors`."""

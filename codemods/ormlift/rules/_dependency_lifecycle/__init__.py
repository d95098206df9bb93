"""The parts of `dependency-lifecycle`."""

"""The parts of `detached-access`."""

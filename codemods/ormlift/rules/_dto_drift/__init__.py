"""The parts of `dto-drift`."""

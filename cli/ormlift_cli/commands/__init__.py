"""The commands, one a module: its options, and what it does with them. The answer of `run` is the exit code."""

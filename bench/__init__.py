"""Times and peak memory, side by side with the usual tool: `python -m bench --help`. No test depends on them."""

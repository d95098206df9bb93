"""Flow analysis of session blocks: what a block does to its session on each way out, and what a scope would change.

`block_effects` is the way in. Below it: `values` (what names may hold), `events` (what a statement does), `walk` (the
states at each way out), and `keeps` and `errors`, which judge instances and exceptions that leave the block.
"""

from ormlift.project.flow.block import Block
from ormlift.project.flow.effects import Chosen, block_effects
from ormlift.project.flow.knowledge import Knowledge

__all__ = ["Block", "Chosen", "Knowledge", "block_effects"]

"""Edits of a file: the ops of rewrites applied to the smallest piece of text that holds them, the rest untouched.

Only the function around a rewrite is given to libcst (reading a whole file with it costs ten times the rest of a run);
its text goes back line for line, so that nothing else of the file can change.
"""

from ormlift.edit.apply import Edited, LayoutError, apply, op_lines

__all__ = ["Edited", "LayoutError", "apply", "op_lines"]

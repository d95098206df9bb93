"""Toolshed: who has borrowed which tool, since when, and what they owe."""

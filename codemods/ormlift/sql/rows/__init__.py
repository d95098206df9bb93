"""Rows followed to their uses."""

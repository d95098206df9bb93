"""ormlift thinks here: text in, plan out. No disk, git, clock, environment or terminal."""

__version__ = "0.1.0"

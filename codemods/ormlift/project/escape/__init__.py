"""Sessions in the code: where they are handed out, the shapes of their lives, and what else their name is used for."""

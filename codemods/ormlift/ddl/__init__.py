"""The tables that a project creates by itself: found in its SQL, read as the database reads them, written as models."""

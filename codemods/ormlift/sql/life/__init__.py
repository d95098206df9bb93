"""The life of one DB-API connection: where it begins, what is done with it, where it ends."""

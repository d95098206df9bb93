"""What `session-scope` needs beside its file: its words, the ways to open a block, and the sites that have a `with`."""

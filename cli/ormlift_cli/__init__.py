"""The half of ormlift that acts: command line, files, git, worker processes, reports."""

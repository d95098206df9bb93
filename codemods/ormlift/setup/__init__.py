"""What a project needs before it can be migrated: a configuration, and where it has none, a session and its scope."""

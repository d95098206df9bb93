"""What is known of a project: its models, session factories, scopes and imports, read without running it."""

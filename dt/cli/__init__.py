"""The `dt` command: arguments in, results out, no logic."""

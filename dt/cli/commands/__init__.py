"""One module per command: its name, what it does, its arguments, and `run`."""

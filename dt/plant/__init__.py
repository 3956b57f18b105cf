"""Plant, soil and air science: pure functions with their sources."""

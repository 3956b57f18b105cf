"""The keeper of readings and records, and its REST facade."""

"""What an actuator does on its own; each policy passes the same gate as a person."""

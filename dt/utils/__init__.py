"""What every service shares: messages, quantities, settings, logs, errors and the life cycle."""

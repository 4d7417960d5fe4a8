"""A service that cannot start without its settings."""

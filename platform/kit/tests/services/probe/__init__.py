"""A service for the kit's own tests."""

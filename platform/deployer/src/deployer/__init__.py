"""Ships services."""

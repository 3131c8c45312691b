"""What a connection keeps between two syncs: the saved state."""

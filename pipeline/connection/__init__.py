"""What a connection keeps between two syncs: the saved state, and whose account it is of."""

"""Commands to run between syncs: `python -m pipeline --help`."""

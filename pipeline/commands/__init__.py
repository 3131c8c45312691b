"""What a person asks beside a sync: `python -m pipeline --help`."""

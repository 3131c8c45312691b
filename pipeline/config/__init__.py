"""The configuration: its keys, what reads them, and what they mean."""

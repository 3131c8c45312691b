"""The configuration: its keys, their parsers, and what they mean."""

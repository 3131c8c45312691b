"""Reads a range of time concurrently and releases it in order; the reader owns the watermark."""

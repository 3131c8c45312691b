"""A range of time, read concurrently and released in order; the reader owns the watermark."""

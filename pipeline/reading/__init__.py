"""A range of time, read concurrently and released in order: what a window is, and the reader that owns the watermark."""

"""The destination's names of columns and tables, kept apart where it would make one name of two."""

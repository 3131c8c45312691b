"""Names of columns and tables as the destination will have them, and what to do when two of them become one."""

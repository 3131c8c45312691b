"""The tables a sync fills: those of events as they are declared, and the connector's own."""

"""What was delivered, as stretches of time with a fingerprint each: how a sync knows, days later,
that something came late.
"""

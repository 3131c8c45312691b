"""The second look: one reading proves nothing, so all that is delivered is counted again, days
later, and only what differs is written.
"""

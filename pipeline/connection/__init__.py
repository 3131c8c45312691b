"""One sync: every event type, one event type (the sentence), the saved state, and the messages to
the operator.
"""

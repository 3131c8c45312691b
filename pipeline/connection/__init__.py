"""What a sync is: every event type, one event type (the sentence), the saved state, and what a person is shown."""

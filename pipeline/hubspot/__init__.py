"""Everything that knows HubSpot's API, and nothing else of this project: a client, and the meaning
of the answers.
"""

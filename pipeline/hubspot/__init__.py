"""Everything that knows HubSpot's API, and nothing else of this project: a client, and what the
answers mean.
"""

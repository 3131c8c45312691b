"""A simulated HubSpot: its Events API on loopback, with every undocumented behavior and every fault
as an option.
"""

from simulator.behaviour import Behaviour, Request
from simulator.history import History, generated, listed, submissions
from simulator.server import Simulator

__all__ = ["Behaviour", "History", "Request", "Simulator", "generated", "listed", "submissions"]

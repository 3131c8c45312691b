"""A HubSpot to try against: its Events API on loopback, with every doubt and fault of it switchable."""

from simulator.behaviour import Asked, Behaviour
from simulator.history import History, generated, listed
from simulator.server import Simulator

__all__ = ["Asked", "Behaviour", "History", "Simulator", "generated", "listed"]

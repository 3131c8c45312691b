"""Event definitions as the simulated API serves them, and as the client reads them."""

import pytest

from pipeline.config.keys import API_VERSIONS
from pipeline.errors import BadAnswer, Forbidden
from pipeline.hubspot import client as module
from pipeline.hubspot.client import Client
from pipeline.hubspot.definitions_api import SCOPE
from simulator import Behaviour, Simulator, generated
from simulator.definitions import defined, property_of

TYPE = "pe1_signup"
# as HubSpot's specifications spell them
PATHS = {"v3": "v3", "2025-09": "custom/2025-09", "2026-03": "2026-03", "2026-09": "custom/2026-09"}


def account(count=0):
    listed = [defined(f"pe1_{n}", f"Type {n}", property_of("plan")) for n in range(count)]
    histories = {"e_visited_page": generated(3), TYPE: generated(5, event_type=TYPE)}
    return Simulator(histories, Behaviour(definitions=listed or True))


def client_of(sim, version="2026-03"):
    return Client("token", sim.url, version, max_outage=1)


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_version_serves_them_at_the_path_that_its_specification_names_if_the_scope_is_granted(version):
    with account() as sim, client_of(sim, version) as client:
        found = client.definitions()
        assert [request.path for request in sim.requests] == [f"/events/{PATHS[version]}/event-definitions"]
        sim.behaviour.definitions = False
        with pytest.raises(Forbidden, match=SCOPE):
            client.definitions()
        assert len(sim.requests) == 2
    assert found.keys() == {TYPE} and found[TYPE].label == "Signup"
    types = {each.name: each.type for each in found[TYPE].properties}
    assert (types["plan"], types["seats"], types["order_number"]) == ("enumeration", "number", "string")


@pytest.mark.parametrize("count, requests", [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_all_pages_are_read(count, requests):
    with account(count=count) as sim, client_of(sim) as client:
        assert list(client.definitions()) == [f"pe1_{n}" for n in range(count)]
        assert len(sim.requests) == requests


def test_pages_without_an_end_are_an_error(monkeypatch):
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    with account(count=201) as sim, client_of(sim) as client:
        with pytest.raises(BadAnswer, match="no end"):
            client.definitions()
        assert len(sim.requests) == 2

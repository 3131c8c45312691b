import pytest
import requests


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer pat-na1-test"
        yield session

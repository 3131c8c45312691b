import pytest

from tests.backfill.processes import cluster


@pytest.fixture
def dask():
    """A cluster that has no workers yet."""
    with cluster(0) as client:
        yield client

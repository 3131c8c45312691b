import pytest
from dask.distributed import Client as Dask
from dask.distributed import LocalCluster


@pytest.fixture
def dask():
    """A cluster that has no workers yet."""
    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster, Dask(cluster) as client:
        yield client

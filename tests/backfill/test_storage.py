"""Which addresses a backfill takes, what it says of others, and a real S3 (moto's)."""

from collections import Counter
from pathlib import Path

import boto3
import fsspec
import pyarrow.parquet as pq
import pytest

from backfill import backfill
from frames.storage import HIDDEN, address_of, files, put
from pipeline import ConnectorError, read_settings
from simulator import Simulator, generated
from tests.backfill.processes import cluster
from tests.support import TYPE, configuration, truth


@pytest.fixture(scope="module")
def s3():
    """The address of a bucket, and the environment that leads there."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "any")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="lake")
        yield "s3://lake"
    server.stop()


@pytest.fixture(scope="module")
def dask(s3):
    """Two workers that have the environment of the bucket."""
    with cluster(2) as client:
        yield client


@pytest.mark.parametrize(("address", "said"), [
    ("nosuchscheme://lake/history", "not known: nosuchscheme.*Cure: name a folder"),
    ("gs://lake/history", "gcsfs.*install"),  # which these tests do not
    (Path("s3://lake/history"), "write it as text"),
], ids=["scheme", "package", "path"])  # fmt: skip
def test_an_address_of_no_storage_is_refused_before_the_first_request(address, said, simulated):
    sim = simulated()
    with pytest.raises(ConnectorError, match=said):
        backfill(None, read_settings(configuration(sim)), address)
    assert sim.requests == []


def test_an_address_that_nobody_can_write_to_is_refused_before_the_first_request(s3, simulated, tmp_path):
    sim, file = simulated(), tmp_path / "file"
    file.touch()
    for address in (file / "history", f"{s3}-elsewhere/history"):
        with pytest.raises(ConnectorError, match="cannot be written to.*Cure: "):
            backfill(None, read_settings(configuration(sim)), address)
    assert sim.requests == [] and [path.name for path in tmp_path.iterdir()] == ["file"]
    assert [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]] == ["lake"]


@pytest.mark.parametrize("address", ["", "s3://lake/once"], ids=["folder", "s3"])
def test_a_file_that_cannot_be_written_to_its_end_leaves_the_one_before(address, s3, tmp_path, monkeypatch):
    address = address_of(address or tmp_path / "history")
    local = tmp_path / "local"
    local.write_bytes(b"before")
    put(local, address, "table/day=x/a.parquet")
    local.write_bytes(b"after it " * 10)
    fs, root = fsspec.core.url_to_fs(address)
    if address.startswith("s3"):
        monkeypatch.setattr(fs, "_call_s3", broken)
    else:
        monkeypatch.setattr("shutil.copyfile", broken)
    with pytest.raises(BrokenPipeError):
        put(local, address, "table/day=x/a.parquet")
    monkeypatch.undo()
    assert fs.cat_file(f"{root}/table/day=x/a.parquet") == b"before"


def broken(*_, **__):
    raise BrokenPipeError


@pytest.mark.long
@pytest.mark.parametrize("events", [3_000, 60_000])
def test_a_backfill_into_s3_holds_every_row_once_and_goes_on_later(dask, s3, events):
    address = f"{s3}/of {events}"
    with Simulator({TYPE: generated(events)}) as sim:
        settings = read_settings(configuration(sim))
        left = backfill(dask, settings, address, hours=24 * 7)
        asked = len(sim.requests)
        again = backfill(dask, settings, address, hours=24 * 7)
        assert again.rows == left.rows and len(sim.requests) == asked + 1  # the clock
    fs = fsspec.filesystem("s3")
    tables = [pq.read_table(fs.open(path), columns=["id"]) for path in fs.find(address)]
    assert left.rows[TYPE] == events
    assert Counter(id_ for table in tables for id_ in table["id"].to_pylist()) == Counter(truth(sim.histories[TYPE]))
    assert not [name for name in files(address) if HIDDEN in name]

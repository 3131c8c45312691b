"""The same stages past one machine: a long history read on a Dask cluster into Parquet, and the state to go on from."""
from backfill.on_dask import Backfilled, backfill

__all__ = ["Backfilled", "backfill"]

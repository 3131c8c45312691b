"""Reads a long history on a Dask cluster into Parquet, with the connector's stages, and returns the
state from which the connector resumes.
"""

from backfill.on_dask import Backfilled, backfill

__all__ = ["Backfilled", "backfill"]

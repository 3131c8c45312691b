"""Beyond one machine: read a long history on a Dask cluster into Parquet, with the connector's
stages, and leave the state that the connector resumes from.
"""

from backfill.on_dask import Backfilled, backfill

__all__ = ["Backfilled", "backfill"]

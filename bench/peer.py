"""`python -m bench.peer JOB`, in .venv-dlt: dlt's rest_api source for the same endpoint into
DuckDB, as its users write it.
"""

import json
import os
import sys
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_source

from bench.harness import EVENT_TYPE, FROM, measure


class Cursor(JSONResponseCursorPaginator):
    """Decodes HubSpot's cursor, which is percent-encoded already: requests would encode it
    twice.
    """

    def update_state(self, response: Any, data: Any = None) -> None:
        super().update_state(response, data)
        if self._next_reference:
            self._next_reference = self._next_reference.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/")


def load(url: str, page_size: int) -> int:
    """Loads every event into a DuckDB file. Returns its number of rows."""
    source = rest_api_source(
        {
            "client": {"base_url": url, "auth": {"type": "bearer", "token": "pat-na1-bench"}},
            "resources": [
                {
                    "name": EVENT_TYPE,
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "events/event-occurrences/2026-03",
                        "params": {"eventType": EVENT_TYPE, "limit": page_size, "occurredAfter": FROM},
                        "data_selector": "results",
                        "paginator": Cursor(cursor_path="paging.next.after", cursor_param="after"),
                    },
                }
            ],
        }
    )
    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            dataset_name="peer",
            destination=dlt.destinations.duckdb(f"{folder}/warehouse.duckdb"),
        )
        pipeline.run(source)
        with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM e_visited_page") as cursor:
            return int(cursor.fetchone()[0])


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    print(json.dumps(measure(lambda: load(job["url"], job["configuration"].get("page_size", 1000)))))

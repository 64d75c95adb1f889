"""dlt's REST source, merge into DuckDB, as its documentation shows it; the second run goes on from its own state.

With `arrow` as the last argument: pages as Arrow tables, which spares dlt its work on each value.
"""

import os
import sys
from datetime import datetime
from pathlib import Path

base_url, token, page_size, folder, way = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt")}

import dlt  # noqa: E402 - it reads the environment as it is imported
import pyarrow as pa  # noqa: E402
from dlt.sources.helpers.rest_client import RESTClient  # noqa: E402
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

PATH = "api/billing/coworkerinvoicehistories"
FIRST = "2012-01-01T00:00:00Z"
PARAMS = {"size": page_size, "orderBy": "UpdatedOn", "dir": 0}
FROM = "from_CoworkerInvoiceHistory_UpdatedOn"


def to_the_minute(value):
    return f"{datetime.fromisoformat(str(value)):%Y-%m-%dT%H:%M}"


def paginator():
    return PageNumberPaginator(base_page=1, page_param="page", total_path="TotalPages")


def as_rows():
    endpoint = {
        "path": PATH,
        "params": PARAMS,
        "data_selector": "Records",
        "paginator": paginator(),
        "incremental": {
            "cursor_path": "UpdatedOn",
            "initial_value": FIRST,
            "start_param": FROM,
            "convert": to_the_minute,
        },
    }
    return rest_api_source(
        {
            "client": {"base_url": base_url, "auth": BearerTokenAuth(token=token)},
            "resources": [
                {"name": "histories", "primary_key": "Id", "write_disposition": "merge", "endpoint": endpoint}
            ],
        }
    )


@dlt.resource(name="histories", primary_key="Id", write_disposition="merge")
def as_arrow(updated_on=dlt.sources.incremental("UpdatedOn", initial_value=FIRST)):  # noqa: B008 - dlt's way
    client = RESTClient(base_url=base_url, auth=BearerTokenAuth(token=token), paginator=paginator())
    params = PARAMS | {FROM: to_the_minute(updated_on.last_value)}
    for page in client.paginate(PATH, params=params, data_selector="Records"):
        yield pa.Table.from_pylist(list(page))


pipeline = dlt.pipeline(
    "histories",
    pipelines_dir=str(folder / "dlt"),
    destination=dlt.destinations.duckdb(str(folder / f"dlt_{way}.duckdb")),
    dataset_name="landed",
)
pipeline.run(as_arrow if way == "arrow" else as_rows()).raise_on_failed_jobs()
with pipeline.sql_client() as client:
    print(client.execute_sql("select count(*) from histories")[0][0])

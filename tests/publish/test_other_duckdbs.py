"""The file is opened by the DuckDB that an analyst happens to have."""

import json
import shutil
import subprocess

import pytest

READ = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("set timezone = 'UTC'")
tables = [name for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall()]
print(json.dumps({
    "version": duckdb.__version__,
    "counts": {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in tables},
    "rows": str([connection.execute(f"from {name} order by all").fetchall() for name in tables]),
    "comment": connection.execute("select comment from duckdb_tables() where table_name = 'about'").fetchone()[0],
}))
"""


def read_with(version, file):
    command = ["uv", "run", "--no-project", "--with", f"duckdb=={version}", "--with", "pytz", "python", "-c", READ]
    ran = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv installs the other versions of DuckDB; it is not here")
@pytest.mark.parametrize("version", ["1.1.3", "1.4.4", "2.0.0"])
def test_duckdb_reads_every_row_and_comment(publish_once, version):
    published = publish_once()
    found, ours = read_with(version, published.path), read_with("1.5.5", published.path)
    assert found["version"] == version
    assert found["counts"] == dict(published.row_counts)
    assert found["rows"] == ours["rows"]
    assert found["comment"].startswith("One row: what this file is")

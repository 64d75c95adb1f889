"""The floor: the bytes of each `Records` array to a file, and one bulk statement with an explicit schema."""

import sys
from pathlib import Path

import duckdb
from pages import SCHEMA, pages, table

base_url, token, page_size, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
with duckdb.connect(str(folder / "floor.duckdb")) as connection:
    since = table(connection)
    saved = folder / "records"
    saved.mkdir(exist_ok=True)
    for number, body in enumerate(pages(base_url, token, page_size, since)):
        (saved / f"{number:06d}.json").write_bytes(body[body.index(b"[") : body.rindex(b"]") + 1])
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in SCHEMA.items())
    page = f"read_json('{saved}/*.json', format = 'array', columns = {{{columns}}})"
    if since:
        connection.execute(f"merge into histories using {page} as page on histories.Id = page.Id "
                           "when matched then update by name when not matched then insert by name")  # fmt: skip
    else:
        connection.execute(f"insert into histories by name from {page}")
    for file in saved.iterdir():
        file.unlink()
    print(connection.execute("select count(*) from histories").fetchone()[0])

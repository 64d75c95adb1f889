"""The floor: the bytes of each `Records` array to a file, and one bulk statement with an explicit schema.

With `raw` as the last argument a second statement keeps each record's JSON and its hash, as our landing has to.
"""

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
    if sys.argv[5:] == ["raw"]:
        connection.execute("create table if not exists versions (id bigint, content_hash varchar, raw json)")
        connection.execute(f"insert into versions select (json ->> '$.Id')::bigint, md5(json::varchar), json "
                           f"from read_json_objects('{saved}/*.json', format = 'array')")  # fmt: skip
    for file in saved.iterdir():
        file.unlink()
    print(connection.execute("select count(*) from histories").fetchone()[0])

"""PostgreSQL and an S3-compatible store for the tests of the lake: started when asked for, gone with the tests."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.request import Request, urlopen

BUCKET = "lake"
_USER = "nexudus"
# Trust lets anyone in; the password is there to see that nothing tells it.
PASSWORD = "canary-of-the-catalogue"


def new_database(name: str) -> str:
    """Connection string of an empty database in a PostgreSQL of our own."""
    port = _postgres()
    _as_its_user([_program("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", _USER, name])
    return f"dbname={name} host=127.0.0.1 port={port} user={_USER} password={PASSWORD}"


@cache
def object_store() -> str:
    """Address of the store, with the bucket made."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1 << 30)},
    )
    atexit.register(server.kill)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        with suppress(OSError):
            urlopen(Request(f"{address}/{BUCKET}", method="PUT"))
            return address
        time.sleep(0.1)
    raise TimeoutError("the S3-compatible server does not start")


@cache
def _postgres() -> int:
    folder = Path(tempfile.mkdtemp(prefix="lake-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
    port = _free_port()
    _as_its_user([_program("initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", _USER, "--no-sync"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [_program("pg_ctl"), "-D", str(folder / "data"), "-w"]
    atexit.register(_as_its_user, [*control, "-m", "immediate", "stop"])
    _as_its_user([*control, "-l", str(folder / "log"), "-o", options, "start"])
    return port


def _program(name: str) -> str:
    """Debian keeps the server's programs beside each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


def _as_its_user(command: list[str]) -> None:
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

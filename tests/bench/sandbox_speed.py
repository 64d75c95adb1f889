"""Prints how fast the sandbox is: start, memory, and pages a second of ranges in order of UpdatedOn.

Run: `uv run python tests/bench/sandbox_speed.py [RECORDS ...]`. The reader is a bare socket in this process, so that
what is measured is the sandbox in the other one.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

SERVER = """
import sys
from pipelines.sandbox.server import serve
def ready(sandbox):
    print(sandbox.base_url, sandbox.tokens.issue(), flush=True)
serve(port=0, size=int(sys.argv[1]), on_ready=ready)
"""
PATH = "/api/billing/coworkerinvoicehistories"
SECONDS = 5.0


class Reader:
    """One kept-alive connection that reads whole answers and looks at no more than their length."""

    def __init__(self, base_url, token):
        host, port = base_url.removeprefix("http://").split(":")
        self.line = socket.create_connection((host, int(port)))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.buffer = bytearray(4 << 20)

    def get(self, **params):
        self.line.sendall(f"GET {PATH}?{urlencode(params)} HTTP/1.1\r\n{self.headers}".encode())
        got, body_at = 0, -1
        view = memoryview(self.buffer)
        while body_at < 0:
            got += self.line.recv_into(view[got:])
            body_at = self.buffer.find(b"\r\n\r\n", 0, got)
        header = bytes(view[:body_at]).lower()
        assert header.startswith(b"http/1.1 200"), header
        whole = body_at + 4 + int(header.partition(b"content-length: ")[2].split(b"\r\n")[0])
        while got < whole:
            got += self.line.recv_into(view[got:])
        return whole


def memory_mib(pid, field):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure(records):
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", SERVER, str(records)], stdout=subprocess.PIPE, text=True) as server:
        try:
            base_url, token = server.stdout.readline().split()
            reader = Reader(base_url, token)
            reader.get(size=1)
            start_seconds = time.perf_counter() - began
            pages, size_in_bytes, began = 0, 0, time.perf_counter()
            while time.perf_counter() - began < SECONDS:
                size_in_bytes += reader.get(
                    page=1 + pages % max(1, records // 1200),
                    size=1000,
                    orderBy="UpdatedOn",
                    dir=0,
                    from_CoworkerInvoiceHistory_UpdatedOn="2020-01-01T00:00",
                    to_CoworkerInvoiceHistory_UpdatedOn="2099-01-01T00:00",
                )
                pages += 1
            rate = pages / (time.perf_counter() - began)
            print(
                f"{records:>9,} records: started in {start_seconds:.1f} s, {rate:.0f} pages/s of 1,000 records "
                f"({rate * size_in_bytes / pages / 1e6:.0f} MB/s), "
                f"peak memory {memory_mib(server.pid, 'VmHWM'):.0f} MiB"
            )
        finally:
            server.terminate()


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for count in [int(argument) for argument in sys.argv[1:]] or [40_000, 1_000_000]:
        measure(count)

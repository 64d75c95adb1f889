"""Run within a network namespace of its own: commands and a dashboard session, and what of them left this machine.

All routes lead to the loopback, so whatever asks for another host, or for the address of a name, is seen there and
answered by nobody. Prints the addresses asked for, as JSON.
"""

import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

PROGRAM = str(Path(sys.executable).with_name("nexudus-billing"))
SETUP = "ip link set lo up; ip route add default dev lo"
VERBS = ("report", "export", "status")
VIEWS = ("overview", "trends", "reasons", "recovery", "worklist", "entries", "health")


def watch(wire: socket.socket, asked: set[str]) -> None:
    """Note where packets go: IPv4 beyond the loopback, IPv6 to one host, and questions for names anywhere."""
    while True:
        packet, (_, kind, *_) = wire.recvfrom(2048)
        if kind == 0x0800:
            to, port = ipaddress.ip_address(packet[16:20]), int.from_bytes(packet[22:24])
            if packet[9] == socket.IPPROTO_UDP and port == 53:
                asked.add(
                    "the name " + re.sub(rb"[\x00-\x1f]", b".", packet[40:].partition(b"\0")[0]).decode().strip(".")
                )
            elif not to.is_loopback:
                asked.add(f"{to}:{port}")
        elif kind == 0x86DD and not (to := ipaddress.ip_address(packet[24:40])).is_multicast and not to.is_loopback:
            asked.add(str(to))


def look(file: Path, asked: set[str]) -> None:
    """A dashboard's session in a browser, page by page, and a request from another site."""
    command = [PROGRAM, "dashboard", "--port", "8599", "--file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        address = "http://127.0.0.1:8599"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        foreign = urllib.request.Request(f"{address}/_stcore/stream", headers={"Origin": "https://elsewhere.example"})
        with suppress(OSError):  # it is refused
            urllib.request.urlopen(foreign).close()
        with sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            # The browser asks its maker about itself; what its pages ask is listened to instead.
            quiet = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", quiet])
            page = browser.new_page()
            page.on("request", lambda request: asked.add(request.url) if _is_elsewhere(request.url) else None)
            for view in VIEWS:
                page.goto(f"{address}/?view={view}")
                page.get_by_text("Published").first.wait_for(timeout=120_000)
            browser.close()
        server.terminate()


def _is_elsewhere(url: str) -> bool:
    return urlsplit(url).scheme not in {"data", "blob"} and urlsplit(url).hostname != "127.0.0.1"


def main() -> None:
    """Set up, run, tell."""
    subprocess.run(SETUP, shell=True, check=True)
    asked: set[str] = set()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    threading.Thread(target=watch, args=(wire, asked), daemon=True).start()
    if sys.argv[1:] == ["leak"]:
        with socket.socket() as leak:
            leak.settimeout(0.5)
            leak.connect_ex(("203.0.113.7", 443))
    else:
        ran = [subprocess.run([PROGRAM, "demo"], stdout=subprocess.DEVNULL, check=False).returncode]
        data = Path("data/demo")
        os.environ |= {"NEXUDUS_DATA_DIR": str(data), "NEXUDUS_ALERT_WEBHOOK_URL": ""}
        ran += [subprocess.run([PROGRAM, verb], stdout=subprocess.DEVNULL, check=False).returncode for verb in VERBS]
        assert ran == [0, 0, 0, 0], ran
        look(data / "analytics.duckdb", asked)
    time.sleep(0.5)
    sys.stdout.write(json.dumps(sorted(asked)))


main()

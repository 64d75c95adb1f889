"""Which addresses mean the machine that this runs on."""

from ipaddress import ip_address


def is_this_machine(address: str) -> bool:
    """Whether nothing sent to this host name or address leaves the machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"

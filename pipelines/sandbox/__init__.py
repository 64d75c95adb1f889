"""An emulator of the Nexudus API for trying and testing. It stands for the other side: no stage is imported here."""

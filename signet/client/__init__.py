"""The Python client: five lines run an agent and print its events.

from signet.client import Signet

with Signet() as signet:
    for event in signet.run("assistant", "Say hello"):
        print(event)
"""

from signet.client.asynchronous import AsyncSignet
from signet.client.synchronous import Signet
from signet.kit.errors import SignetError

__all__ = ["AsyncSignet", "Signet", "SignetError"]

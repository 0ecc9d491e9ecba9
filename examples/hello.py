"""Run an agent and print its events. Start a fleet first: `signet up`."""

from signet.client import Signet

with Signet() as signet:
    for event in signet.run("assistant", "Say hello"):
        print(event)

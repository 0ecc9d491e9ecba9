"""TensorZero's gateway out of its Python package: `python tensorzero_gateway.py CONFIG.toml`; prints its base URL.

The package has no server program; this calls a private function of it, which picks a port of its own.
"""

import asyncio
import importlib
import inspect
import sys


async def main() -> None:
    """Serve until ended."""
    package = importlib.import_module("tensorzero")  # of the environment that this runs in, which is not Signet's
    gateway = package._start_http_gateway(  # noqa: SLF001 - there is no public way to start it
        config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=True
    )
    if inspect.isawaitable(gateway):
        gateway = await gateway
    print(gateway.base_url, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())

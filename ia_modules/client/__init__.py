"""The front door: every verb of the product, once. API routes, the command line and programs are thin over it.

    async with Client("sqlite:///ia_modules.db") as client:
        result = await client.run(Path("pipelines/nightly.json"), {"day": "2026-11-24"})
        queued = await client.queue("nightly", {"day": "2026-11-25"})
        record = await client.wait(queued.execution_id)

Code without an event loop uses ``with`` and leaves out ``await``: :mod:`ia_modules.client.blocking`.

A pipeline in a call is a ``PipelineSource``: slug or id of a registered one, the path of a file, a flow, or one that
is loaded. An execution is named by its id, or by the one that its caller gave it (``alias``). ``actor`` is who does it,
for the audit log; None: the client's own.
"""

from ia_modules.client.base import PipelineSource
from ia_modules.client.client import Client

__all__ = ["Client", "PipelineSource"]

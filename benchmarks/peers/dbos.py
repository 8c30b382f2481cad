"""DBOS: a workflow of five steps."""

import asyncio
import sys

from dbos import DBOS

from benchmarks.sampling import answer
from benchmarks.work import PAYLOAD, STEPS


@DBOS.step()
async def pass_on(data: dict) -> dict:
    return {"text": data["text"]}


@DBOS.workflow()
async def chain(data: dict) -> dict:
    for _ in range(STEPS):
        data = await pass_on(data)
    return data


async def work() -> None:
    assert await chain(PAYLOAD) == PAYLOAD


def main(url: str) -> None:
    DBOS(config={"name": "benchmark", "system_database_url": url, "log_level": "ERROR"})
    DBOS.launch()
    asyncio.run(answer(work))
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1])

"""LangGraph: a graph of five nodes, ``durability="sync"``, with the saver of the database."""

import asyncio
import sys
import uuid
from contextlib import asynccontextmanager
from typing import TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from benchmarks.sampling import answer
from benchmarks.work import PAYLOAD, STEPS


class State(TypedDict):
    text: str


async def pass_on(state: State) -> State:
    return {"text": state["text"]}


@asynccontextmanager
async def saver_of(url: str):
    if url.startswith("sqlite:///"):
        async with AsyncSqliteSaver.from_conn_string(url.removeprefix("sqlite:///")) as saver:
            yield saver
        return
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(url, min_size=1, max_size=10, kwargs=options) as pool:
        yield AsyncPostgresSaver(pool)


async def main(url: str) -> None:
    builder = StateGraph(State)
    names = [f"step-{number}" for number in range(STEPS)]
    for name in names:
        builder.add_node(name, pass_on)
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    async with saver_of(url) as saver:
        await saver.setup()
        graph = builder.compile(checkpointer=saver)

        async def work() -> None:
            config = {"configurable": {"thread_id": str(uuid.uuid4())}}
            result = await graph.ainvoke(PAYLOAD, config, durability="sync")
            assert result == PAYLOAD

        await answer(work)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

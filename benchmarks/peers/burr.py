"""Burr: an application of five actions whose state a persister keeps after each."""

import asyncio
import itertools
import sys
import uuid
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from burr.core import ApplicationBuilder, State, action
from burr.integrations.persisters.b_aiosqlite import AsyncSQLitePersister
from burr.integrations.persisters.b_asyncpg import AsyncPostgreSQLPersister

from benchmarks.sampling import answer
from benchmarks.work import PAYLOAD, STEPS

NAMES = [f"step_{number}" for number in range(STEPS)]


@action(reads=["text"], writes=["text"])
async def pass_on(state: State) -> State:
    return state.update(text=state["text"])


@asynccontextmanager
async def persister_of(url: str):
    if url.startswith("sqlite:///"):
        async with AsyncSQLitePersister.from_values(url.removeprefix("sqlite:///")) as persister:
            yield persister
        return
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    place = {
        "host": parts.hostname or options.get("host"),
        "port": parts.port or int(options.get("port", 5432)),
        "user": parts.username or options.get("user", "postgres"),
        "password": parts.password or options.get("password", ""),
    }
    pool = {"use_pool": True, "min_size": 1, "max_size": 10}
    async with AsyncPostgreSQLPersister.from_values(parts.path.removeprefix("/"), **place, **pool) as persister:
        yield persister


async def main(url: str) -> None:
    async with persister_of(url) as persister:
        await persister.initialize()

        async def work() -> None:
            builder = (
                ApplicationBuilder()
                .with_actions(**dict.fromkeys(NAMES, pass_on))
                .with_transitions(*itertools.pairwise(NAMES))
                .with_identifiers(app_id=str(uuid.uuid4()), partition_key="benchmark")
                .with_state(**PAYLOAD)
                .with_entrypoint(NAMES[0])
                .with_state_persister(persister)
            )
            application = await builder.abuild()
            _, _, state = await application.arun(halt_after=[NAMES[-1]])
            assert state["text"] == PAYLOAD["text"]

        await answer(work)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""The orders of two shops into one table, in cents: extract, transform, load. A shop that is away is asked again."""

import sqlite3
from contextlib import closing
from decimal import Decimal

from ia_modules import Client, Flow, StepContext

SHOPS = {"north": ["1,Ada,9.50"], "south": ["2,Ben,120.00", "3,Cleo,7.25"]}
Row = tuple[int, str, int]
flow = Flow("Orders", parameters={"shops": [*SHOPS], "target": "orders.db"})


@flow.step(map="{parameters.shops}", key="{item}", retry={"max_attempts": 3, "initial_delay": 0.1})
def extract(shop: str, context: StepContext) -> list[str]:
    if shop == "south" and context.attempt < 3:
        raise ConnectionError(f"{shop} is away")
    return SHOPS[shop]


@flow.step(map="{steps.extract.output.items}")
def transform(lines: list[str]) -> list[Row]:
    rows = [line.split(",") for line in lines]
    return [(int(number), customer, int(100 * Decimal(amount))) for number, customer, amount in rows]


@flow.step(inputs={"shops": "{steps.transform.output.items}", "target": "{parameters.target}"}, effect="write")
def load(shops: list[list[Row]], target: str) -> int:
    rows = [row for shop in shops for row in shop]
    with closing(sqlite3.connect(target)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT, cents INTEGER)")
        database.executemany("REPLACE INTO orders VALUES (?, ?, ?)", rows)
    return len(rows)


flow.paths(extract >> transform >> load)
if __name__ == "__main__":
    with Client("sqlite:///ia_modules.db") as client:
        print(client.run(flow)["output"]["load"]["result"], "orders are loaded")

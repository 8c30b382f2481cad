"""An order becomes an invoice: a pipeline of functions that say what they take and give, and run without it too.

python examples/invoice/invoice.py --customer Ada
"""

import argparse
import asyncio
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel, Field

from ia_modules import Flow, StepContext, end, first, otherwise, when


class Line(BaseModel):
    name: str
    price: Decimal = Field(gt=0)
    count: int = Field(default=1, ge=1)


class Order(BaseModel):
    customer: str = Field(min_length=1, description="who pays")
    lines: list[Line] = [Line(name="bolt", price=Decimal("0.10"), count=120), Line(name="pump", price=Decimal(890))]
    ordered: date = date(2026, 11, 29)


class Total(BaseModel):
    amount: Decimal
    discount: Decimal


flow = Flow(
    "Invoice",
    parameters=Order,
    outputs={"invoice": "{steps.invoice.output.result}", "reminder": "{steps.remind.output.result} | none"},
)


@flow.step
def total(order: Order) -> Total:
    """The sum of the lines; two percent less above 500."""
    amount = sum((line.price * line.count for line in order.lines), Decimal(0))
    discount = (amount / 50).quantize(Decimal("0.01")) if amount > 500 else Decimal(0)
    return Total(amount=amount - discount, discount=discount)


@flow.step
def due(ordered: date) -> dict[str, date]:
    return {"due": ordered + timedelta(days=30)}


@flow.step
async def invoice(customer: str, amount: Decimal, due: date, context: StepContext) -> str:
    context.log("written", customer=customer, amount=str(amount))
    return f"{customer} pays {amount} until {due}"


@flow.step
def remind(due: date, days: int = 7) -> date:
    return due - timedelta(days=days)


flow.paths(
    total >> due >> invoice,
    invoice >> first(when("discount", "==", "0") >> remind, otherwise >> end),
)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customer", default="Ada")
    print(asyncio.run(flow.run({"customer": options.parse_args().customer}))["output"])

"""What each customer owes, from the order lists of a folder: an ordinary script, on record by its two decorators.

python examples/existing_script/invoices.py
ia-modules executions show
"""

import csv
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

from ia_modules import tracked


@tracked
def read_orders(file: Path) -> Counter[str]:
    owed: Counter[str] = Counter()
    with file.open(newline="") as lines:
        for order in csv.DictReader(lines):
            owed[order["customer"]] += int(100 * Decimal(order["amount"]))
    return owed


@tracked
def main(folder: Path) -> dict[str, str]:
    owed: Counter[str] = Counter()
    for file in sorted(folder.glob("*.csv")):
        try:
            owed += read_orders(file)
        except (ArithmeticError, KeyError) as error:
            print(f"{file.name} is left out: {error!r}", file=sys.stderr)
    return {customer: f"{cents / 100:.2f}" for customer, cents in sorted(owed.items())}


if __name__ == "__main__":
    for customer, amount in main(Path(__file__).parent / "orders").items():
        print(f"{customer:10} {amount:>10}")

import logging
from typing import Any

logger = logging.getLogger("shop.cart")


def talk(data: dict[str, Any]) -> None:
    for number in range(1, 12_051):
        print(f"line {number}, which is about the order {number * 7} and long enough to be cut where lines do not wrap")
        if number in (4_000, 12_000):
            logger.error("the bank refused order %d", number * 7)
    raise RuntimeError("out of breath")

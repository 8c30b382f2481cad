import logging
from typing import Any

orders, cart = logging.getLogger("shop.orders"), logging.getLogger("shop.cart")


def talk(data: dict[str, Any]) -> None:
    for number in range(1, 12_051):
        text = "line %d, which is about the order %d and long enough to be cut where lines do not wrap"
        orders.info(text, number, number * 7)
        if number in (4_000, 12_000):
            cart.error("the bank refused order %d", number * 7)
    print("out of breath")
    raise RuntimeError("out of breath")

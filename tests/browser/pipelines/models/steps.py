from decimal import Decimal

from ia_modules import current


def think(data: dict[str, str]) -> dict[str, str]:
    context = current.context
    context.usage(
        model="house-large",
        provider="house",
        input_tokens=1_200,
        output_tokens=80,
        cost=Decimal(data["cost"]),
        first_token_ms=310,
    )
    context.usage(model="house-new", input_tokens=10)
    return {}

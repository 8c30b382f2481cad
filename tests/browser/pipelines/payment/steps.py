"""A step that asks a person with what is known of the payment, and one for what comes then."""

from typing import Any

from ia_modules.pipeline.core import Step


class Ask(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        invoice = {"payee": data["payee"], "amount": data["amount"], "number": 9007199254740993}
        return {"status": "human_input_required", "invoice": invoice}


class Done(Step):
    async def run(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"done": self.context.step_id}

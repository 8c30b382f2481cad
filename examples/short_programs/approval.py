"""A payment that somebody approves: nothing runs while it waits, and the answer is on record."""

from ia_modules import Client, Flow, first, otherwise, when

ANSWER = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}

flow = Flow("Short approval", parameters={"payee": "Ada", "amount": 120})
approve = flow.ask("approve", prompt="Pay {{ parameters.amount }} to {{ parameters.payee }}?", ui_schema=ANSWER)


@flow.step
def pay(payee: str, amount: int) -> str:
    return f"{payee} gets {amount}."


@flow.step
def decline(payee: str) -> str:
    return f"{payee} gets nothing."


flow.paths(approve >> first(when("result.human_input.approved", "==", True) >> pay, otherwise >> decline))

if __name__ == "__main__":
    with Client("sqlite:///ia_modules.db") as client:
        waiting = client.run(flow)
        approved = input(f"{waiting['output']['prompt']} (yes or no) ") == "yes"
        client.answer(waiting["interaction_id"], {"approved": approved}, actor="ann")
        result = client.resume(waiting["execution_id"], pipeline=flow).to_end()
        print((result["output"].get("pay") or result["output"]["decline"])["result"])

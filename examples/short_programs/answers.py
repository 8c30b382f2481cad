"""Answers a question from documents: split, "embed", four at a time, and answer. Counted words stand for the model."""

from collections import Counter

from ia_modules import Client, Flow

DOCUMENTS = [
    {"name": "bees", "text": "Bees live in hives. They make honey."},
    {"name": "storks", "text": "Storks live on chimneys. They eat frogs."},
]
Passage = tuple[str, Counter[str]]
flow = Flow("Answers", parameters={"question": "What do they eat?", "documents": DOCUMENTS})


def vector_of(text: str) -> Counter[str]:
    return Counter(text.lower().strip("?.").split())


@flow.step
def split(documents: list[dict[str, str]]) -> dict[str, list[dict[str, object]]]:
    return {"split": [{"name": each["name"], "parts": each["text"].split(". ")} for each in documents]}


@flow.step(map="{steps.split.output.split}", key="{item.name}", max_concurrency=4, retry={"max_attempts": 3})
def embed(parts: list[str]) -> list[Passage]:
    return [(part, vector_of(part)) for part in parts]


@flow.step(inputs={"question": "{parameters.question}", "embedded": "{steps.embed.output.items}"})
def answer(question: str, embedded: list[list[Passage]]) -> str:
    passages = [passage for document in embedded for passage in document]
    return max(passages, key=lambda passage: (vector_of(question) & passage[1]).total())[0]


flow.paths(split >> embed >> answer)

if __name__ == "__main__":
    with Client("sqlite:///ia_modules.db") as client:
        print(client.run(flow)["output"]["answer"]["result"])

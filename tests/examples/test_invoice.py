import asyncio
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ia_modules import StepContext
from ia_modules.errors import PipelineInputError
from ia_modules.pipeline.core import nowhere
from tests.examples.runs import EXAMPLES

PROGRAM = EXAMPLES / "invoice" / "invoice.py"


@pytest.fixture
def program() -> Any:
    """What the program defines, as a test of it would import it."""
    names: dict[str, Any] = {"__name__": "invoice"}
    exec(compile(PROGRAM.read_text(encoding="utf-8"), PROGRAM, "exec"), names)  # noqa: S102
    return names


async def test_an_order_becomes_an_invoice(program: Any) -> None:
    ran = await program["flow"].run({"customer": "Ada"})
    assert ran["output"] == {"invoice": "Ada pays 883.96 until 2026-12-29", "reminder": "none"}
    small = {"customer": "Ben", "lines": [{"name": "nut", "price": "0.05"}], "ordered": "2026-01-01"}
    ran = await program["flow"].run(small)
    assert ran["output"] == {"invoice": "Ben pays 0.05 until 2026-01-31", "reminder": "2026-01-24"}
    with pytest.raises(PipelineInputError, match=r"\$\.lines\[0\]\.count"):
        await program["flow"].run({"customer": "Ben", "lines": [{"name": "nut", "price": "1", "count": 0}]})


def test_its_functions_run_without_a_pipeline(program: Any) -> None:
    context: StepContext = nowhere()
    assert program["total"](program["Order"](customer="Ada")) == program["Total"](
        amount=Decimal("883.96"), discount=Decimal("18.04")
    )
    assert program["due"](date(2026, 11, 29)) == {"due": date(2026, 12, 29)}
    written = asyncio.run(program["invoice"]("Ada", Decimal("1.50"), date(2026, 12, 1), context))
    assert written == "Ada pays 1.50 until 2026-12-01"


def test_it_is_a_program() -> None:
    ran = subprocess.run([sys.executable, PROGRAM, "--customer", "Cy"], capture_output=True, text=True, check=True)
    assert "Cy pays 883.96" in ran.stdout

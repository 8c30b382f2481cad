import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ia_modules import Client, DatabaseManager
from ia_modules.pipeline.allowed_code import AllowedCode
from tests.unit.client.doubling import STEPS, document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(document()))
    return path


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncGenerator[Client]:
    async with Client(database, allowed=AllowedCode(), actor="ann") as client:
        yield client

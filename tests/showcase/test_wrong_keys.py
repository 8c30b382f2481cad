import asyncio

import pytest

from showcase_app.backend.services.wrong_keys import WrongKeys


async def test_the_first_is_written_at_once_and_those_after_it_together(caplog: pytest.LogCaptureFixture) -> None:
    wrong = WrongKeys(pause_seconds=0.05)
    for number in range(10_000):
        wrong.count(f"10.0.0.{number % 9}")
    assert wrong.total == 10_000
    assert caplog.messages == ["Refused a wrong key from 10.0.0.0; 1 since the server started."]
    while len(caplog.messages) == 1:  # noqa: ASYNC110 - nothing tells of a line in the log
        await asyncio.sleep(0.01)
    assert caplog.messages[1:] == [
        "Refused 9999 wrong keys, the last from 10.0.0.0; 10000 since the server started.",
    ]
    await asyncio.sleep(0.2)  # two pauses without any: the next one is the first again
    wrong.count("::1")
    assert caplog.messages[2:] == ["Refused a wrong key from ::1; 10001 since the server started."]

"""What stands in a transition can be stored."""

from ia_modules.transitions import Failure


def test_an_exception_becomes_text_that_both_databases_can_store() -> None:
    try:
        raise ValueError("nul \0 and \ud800")
    except ValueError as error:
        failure = Failure.of(error)
    assert (failure.type, failure.message) == ("ValueError", "nul \ufffd and \ufffd\ufffd\ufffd")
    assert "ValueError" in (failure.traceback or "")
    assert Failure.of(KeyError()).message == "KeyError", "an error without words has its name"

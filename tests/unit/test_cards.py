"""What notebooks show is HTML in which nothing of the record can be markup."""

from ia_modules.cards import TEXT_CHARACTERS, card


def test_it_has_what_is_known_and_nothing_else() -> None:
    shown = card("Nightly", "failed", {"steps": "2 of 3", "output": None})
    assert "Nightly" in shown
    assert "● failed" in shown
    assert "2 of 3" in shown
    assert "output" not in shown


def test_texts_of_the_record_are_texts() -> None:
    shown = card("<script>1</script>", "<b>", {"<i>": "<img src=x>"})
    for text in ("<script", "<b>●", "<i>", "<img"):
        assert text not in shown
    assert "&lt;img src=x&gt;" in shown


def test_long_texts_are_cut() -> None:
    assert "…" in card("t", "running", {"output": "x" * (TEXT_CHARACTERS + 1)})
    assert "…" not in card("t", "running", {"output": "x" * TEXT_CHARACTERS})

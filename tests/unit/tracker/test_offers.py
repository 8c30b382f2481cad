"""What becomes of what a file gives, decided on what is on record."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ia_modules.models import VersionOrigin
from ia_modules.tracker.offers import (
    MAKE_CURRENT,
    REGISTER_FILE,
    STORE_BESIDE,
    Current,
    FileContent,
    Offer,
    PastOffer,
    StoredBeside,
    decide_offer,
    is_news,
    last_hash,
    origin_of_current,
    owner_of,
)

WHEN = datetime(2026, 11, 29, tzinfo=UTC)


def past(action: str, actor: str = "ann", **detail: Any) -> PastOffer:
    return PastOffer(action, actor, detail, WHEN)


def gave(host: str, path: str, content: str) -> PastOffer:
    return past(REGISTER_FILE, host=host, path=path, content_hash=content)


def current(content: str, origin: VersionOrigin | None = "file") -> Current:
    return Current(1, content, origin)


def test_what_a_file_gave_last_is_its_own_hosts_and_only_for_a_new_host_anothers() -> None:
    newest_first = [
        FileContent("b", "/f", "4"),
        FileContent("a", "/g", "3"),
        FileContent("a", "/f", "2"),
        FileContent("a", "/f", "1"),
    ]
    assert last_hash(newest_first, FileContent("a", "/f", "")) == "2"
    assert last_hash(newest_first, FileContent("c", "/f", "")) == "4"
    assert last_hash(newest_first, FileContent("c", "/h", "")) is None


ONE = gave("a", "/f", "1")


@pytest.mark.parametrize(
    ("offered", "now", "before", "expected"),
    [
        ("1", None, [], Offer.FOLLOWS),
        ("1", current("1", "page"), [], Offer.AGREES),
        ("2", current("1"), [ONE], Offer.FOLLOWS),
        ("2", current("1", "page"), [ONE], Offer.FOLLOWS),
        ("2", current("9", "page"), [ONE], Offer.CONFLICT),
        ("2", current("9", "api"), [ONE], Offer.CONFLICT),
        ("2", current("9", "program"), [ONE], Offer.CONFLICT),
        ("2", current("9", "program"), [], Offer.FOLLOWS),
        ("2", current("9", None), [ONE], Offer.CONFLICT),
        ("2", current("9", "page"), [], Offer.CONFLICT),
        ("2", current("9", "file"), [ONE], Offer.FOLLOWS),
        ("1", current("9", "page"), [ONE], Offer.UNCHANGED),
        ("1", current("9", "file"), [ONE], Offer.DIFFERS),
    ],
)
def test_a_file_that_changed_is_followed_unless_something_else_was_chosen(
    offered: str, now: Current | None, before: Sequence[PastOffer], expected: Offer
) -> None:
    offer = decide_offer(FileContent("a", "/f", offered), now, before, is_known=False, newest_version=9)
    assert offer is expected


def test_a_new_host_takes_a_deploy_back_once_and_is_left_behind_after_that() -> None:
    two = [gave("b", "/f", "2"), ONE]
    old = FileContent("c", "/f", "1")
    assert decide_offer(old, current("2"), two, is_known=True, newest_version=2) is Offer.FOLLOWS
    back = [past(MAKE_CURRENT, version=1, newest_version=2, origin="file"), gave("c", "/f", "1"), *two]
    newer = FileContent("d", "/f", "2")
    assert decide_offer(newer, current("1"), back, is_known=True, newest_version=2) is Offer.DIFFERS
    assert decide_offer(old._replace(host="e"), current("1"), back, is_known=True, newest_version=2) is Offer.AGREES
    later = [gave("d", "/f", "3"), *back]
    assert decide_offer(newer._replace(host="f"), current("3"), later, is_known=True, newest_version=3) is Offer.FOLLOWS


def test_a_file_that_is_registered_nowhere_yet_changes_nothing_where_its_content_is_known() -> None:
    elsewhere = FileContent("a", "/moved", "1")
    assert decide_offer(elsewhere, current("2"), [ONE], is_known=True, newest_version=2) is Offer.DIFFERS
    assert decide_offer(elsewhere, current("2", "page"), [ONE], is_known=True, newest_version=2) is Offer.UNCHANGED
    new = FileContent("a", "/moved", "3")
    assert decide_offer(new, current("2"), [ONE], is_known=False, newest_version=2) is Offer.FOLLOWS
    assert decide_offer(new, current("2", "page"), [ONE], is_known=False, newest_version=2) is Offer.CONFLICT


def test_who_chose_the_current_version_counts_before_who_made_it() -> None:
    def origin(version: int, own: VersionOrigin | None, *rows: PastOffer) -> VersionOrigin | None:
        return origin_of_current(version, content_hash="1", origin=own, past=rows)

    chosen = past(MAKE_CURRENT, version=1, newest_version=2, origin="page")
    assert origin(1, "file", chosen) == "page"
    assert origin(2, "file", chosen) == "file"
    assert origin(1, None, ONE) == "file"
    assert origin(1, None, gave("a", "/f", "2"), ONE) is None


def test_it_is_said_once_that_a_file_holds_another_version() -> None:
    recorded = past(STORE_BESIDE, version=1, current_version=2, origin="file", host="a", path="/f")
    file = FileContent("a", "/f", "1")
    assert not is_news(file, 1, 2, [recorded])
    assert not is_news(file._replace(host="b"), 1, 2, [recorded])
    assert is_news(file, 1, 3, [recorded])
    assert is_news(file, 3, 2, [recorded])
    assert is_news(file._replace(path="/g"), 1, 2, [recorded])


def test_what_stands_beside_is_what_was_offered_since_and_is_not_decided() -> None:
    def beside(version: int, current_version: int = 2, path: str = "/f") -> PastOffer:
        return past(STORE_BESIDE, version=version, current_version=current_version, origin="file", host="a", path=path)

    def shown(*rows: PastOffer) -> list[int]:
        owner = owner_of(Current(2, "2", "page"), "ann", rows, {"1": 1, "2": 2, "3": 3})
        return [each.version for each in owner.beside]

    page = past(STORE_BESIDE, "bob", version=4, current_version=2, origin="page")
    assert shown(beside(3), gave("a", "/f", "3"), page) == [3, 4]
    assert shown(beside(3, current_version=1)) == []
    assert shown(gave("b", "/f", "2"), beside(3), gave("a", "/f", "3"), page) == [4]
    assert shown(beside(5), gave("a", "/f", "5"), beside(3), beside(6, path="/g")) == [5, 6]
    assert shown(past(MAKE_CURRENT, version=2, newest_version=3, origin="page"), beside(3), page) == []
    owner = owner_of(Current(2, "2", "page"), "ann", [page, beside(3), ONE], {"1": 1})
    assert owner.beside == (
        StoredBeside(version=4, origin="page", author="bob", host=None, path=None, stored_at=WHEN),
        StoredBeside(version=3, origin="file", author=None, host="a", path="/f", stored_at=WHEN),
    )
    assert [(each.host, each.path, each.version) for each in owner.files] == [("a", "/f", 1)]
    assert (owner.origin, owner.author) == ("page", "ann")


def test_the_author_is_who_chose_the_version() -> None:
    chosen = past(MAKE_CURRENT, "bob", version=1, newest_version=2, origin="page")
    assert owner_of(Current(1, "1", "page"), "ann", [chosen], {}).author == "bob"
    assert owner_of(Current(2, "1", "page"), "ann", [chosen], {}).author == "ann"
    assert owner_of(None, None, [ONE], {}).files[0].version is None

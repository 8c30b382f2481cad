from ia_modules.worker.unusable import UnusableVersions


def test_each_failure_doubles_the_time_up_to_five_minutes() -> None:
    now = 0.0
    versions = UnusableVersions(clock=lambda: now)
    for seconds in (5, 10, 20, 40, 80, 160, 300, 300):
        versions.add("a:1")
        versions.add("a:1")  # claimed at the same time: the same failure
        assert versions.now() == ["a:1"]
        now += seconds - 0.5
        assert versions.now() == ["a:1"]
        now += 0.5
        assert versions.now() == []
    versions.discard("a:1")
    versions.add("a:1")
    now += 5
    assert versions.now() == []


def test_no_more_than_a_thousand_are_remembered() -> None:
    versions = UnusableVersions(clock=lambda: 0.0)
    for number in range(1500):
        versions.add(f"a:{number}")
    assert len(versions) == 1000
    assert versions.now()[0] == "a:500"

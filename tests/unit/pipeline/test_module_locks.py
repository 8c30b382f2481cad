import threading
from concurrent.futures import ThreadPoolExecutor

from ia_modules.pipeline.module_locks import ModuleLocks

PATIENCE_SECONDS = 60


def test_a_module_is_held_by_one_thread_and_others_wait_for_it() -> None:
    locks, held, release = ModuleLocks(), threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with locks.holding("module"), locks.holding("module"):  # its own it may take again
            held.set()
            release.wait(PATIENCE_SECONDS)
            order.append("first")

    def second() -> None:
        held.wait(PATIENCE_SECONDS)
        with locks.holding("another"):
            release.set()
        with locks.holding("module"):
            order.append("second")

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(first), threads.submit(second)]:
            done.result(PATIENCE_SECONDS)
    assert order == ["first", "second"]


def test_threads_that_would_wait_in_a_circle_do_not() -> None:
    locks, both_hold = ModuleLocks(), threading.Barrier(3)

    def load(module: str, imported: str) -> str:
        with locks.holding(module):
            both_hold.wait(PATIENCE_SECONDS)
            with locks.holding(imported):
                return module

    with ThreadPoolExecutor(3) as threads:
        loads = [threads.submit(load, *names) for names in (("a", "b"), ("b", "c"), ("c", "a"))]
        assert [done.result(PATIENCE_SECONDS) for done in loads] == ["a", "b", "c"]

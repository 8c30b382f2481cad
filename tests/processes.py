"""The processes that a test has started, by what stands on their command lines."""

import psutil


def children(named: str) -> list[psutil.Process]:
    """Of this process, those that run something of this name."""
    return [child for child in psutil.Process().children() if named in " ".join(child.cmdline())]

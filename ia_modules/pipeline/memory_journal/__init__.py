"""A journal that remembers in this process only: what a run without records uses.

It keeps every promise of the protocol but one: what it knows ends with the process.
"""

from ia_modules.pipeline.memory_journal.operating import MemoryJournal

__all__ = ["MemoryJournal"]

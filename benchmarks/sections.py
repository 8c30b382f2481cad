"""The sections of the benchmark: what each measures, in words for the page, and its code."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.against_peers import measure_peers
from benchmarks.busy import measure_busy
from benchmarks.conflicts import measure_conflicts
from benchmarks.figures import Figure
from benchmarks.graphs import measure_graphs
from benchmarks.maps import measure_maps
from benchmarks.memory import measure_memory
from benchmarks.pages import measure_pages
from benchmarks.processes import measure_processes
from benchmarks.race import Bench
from benchmarks.rates import measure_payloads, measure_rates, measure_shapes
from benchmarks.sockets import measure_sockets
from benchmarks.starting import measure_start
from benchmarks.streams import measure_streams
from benchmarks.workers import measure_workers
from benchmarks.writes import measure_writes


@dataclass(frozen=True, slots=True)
class Section:
    """A part that can be measured alone; ``text`` says what the columns mean."""

    title: str
    text: str
    measure: Callable[[Bench], list[Figure]]


SECTIONS: dict[str, Section] = {
    "rates": Section(
        "What tracking costs",
        "One execution: five no-op steps that pass 500 bytes on, twelve records. The *limit* is the same records"
        " written by hand, as quickly as we know how: one writer, one connection, whatever waits in one commit, nothing"
        " checked or fenced. With 6 commits the end of a step and the start of the next are one, as the runner does it;"
        " with 12 each record is awaited, as the tracker's methods do it. CPU is that of the program alone.",
        measure_rates,
    ),
    "shapes": Section(
        "Long, wide and round",
        "One execution at a time, in steps per second; the limit makes one execution of five steps after the other.",
        measure_shapes,
    ),
    "payloads": Section(
        "Payloads",
        "The runner's five steps with input and results of other sizes; 10 MB once.",
        measure_payloads,
    ),
    "writes": Section(
        "What an execution writes and waits for",
        "Counts for one execution, not times: a busy machine changes those of one at a time little. Full pages, which"
        " PostgreSQL writes once after each checkpoint, are left out; reads are round trips, too.",
        measure_writes,
    ),
    "conflicts": Section(
        "Others that write to it",
        "Another process cancels every hundredth execution that runs here, or takes it over; what that process itself"
        " takes of the machine is in the rate.",
        measure_conflicts,
    ),
    "sockets": Section(
        "Live",
        "One server writes and tells the sockets that watch one execution; the clients are another process on the same"
        " machine. Records: as many as can be written, four at a time. Messages: what all sockets together read"
        " meanwhile. p50 and p99: from the commit until a client has read it, at 50 records a second.",
        measure_sockets,
    ),
    "busy": Section(
        "A busy server",
        "p99 in milliseconds of what another process asks, one after the other, of a server that runs 50 executions"
        " without a pause, and of what it tells sockets from the commit on; of that the pause between two pages, which"
        " is chosen, is left out. The echo is a route that sends back what it gets.",
        measure_busy,
    ),
    "graphs": Section(
        "Graphs of many steps",
        "The page of an execution in Chromium, 1440 by 900: from the start of the navigation until its graph is drawn,"
        " also as a part of an empty page of the same server; from the click that asks for all of it until that is"
        " there; and the longest task that keeps the page from answering while all steps run, as quickly as they can"
        " (browsers report those above 50 ms; 0: none).",
        measure_graphs,
    ),
    "pages": Section(
        "Pages with 100,000 executions",
        "Each page in Chromium, 1440 by 900, in a profile that has fetched nothing yet: first paint (FCP) and largest"
        " paint (LCP), from the start of the navigation, also as a part of an empty page of the same server.",
        measure_pages,
    ),
    "workers": Section(
        "Workers",
        "`ia-modules worker` on a full queue in PostgreSQL, from when all of them work.",
        measure_workers,
    ),
    "maps": Section(
        "A step for each entry of a list",
        "`ia-modules worker` runs one map over so many numbers, 50 at a time, and collects nothing. The time is that of"
        " the whole map for each item, the bytes are what the database has grown by; peak is the most memory that the"
        " worker had. The page of the execution is timed as under graphs. Killed: from when another worker has claimed"
        " the execution, which is looked at every few milliseconds, until the first item begins again.",
        measure_maps,
    ),
    "processes": Section(
        "Steps that compute",
        "Four branches of pure Python at the same time, in threads of one process and in processes of their own, which"
        " have been started before; recorded in memory. Then the same four with nothing to compute.",
        measure_processes,
    ),
    "streams": Section(
        "Output as it comes",
        "A step in `ia-modules worker` gives 3 MB, a megabyte a second by the clock, while so many clients of"
        " `ia-modules serve` follow it by server-sent events, all in one process on the same machine. The time is that"
        " of the step, whose last output is on record with its end; then, until the last client has all of it.",
        measure_streams,
    ),
    "memory": Section(
        "Memory",
        "Resident memory for each execution that runs in this process, in a step that does not end; and after each that"
        " waits for a person, of which nothing runs.",
        measure_memory,
    ),
    "start": Section(
        "Start",
        "Until a program has ended again that does nothing else.",
        measure_start,
    ),
    "peers": Section(
        "Other libraries",
        "The same work in the same run, each library in an environment of its own, in the way that its documents show,"
        " with pools of ten connections. SQLite is in WAL mode and flushes at every commit for all; each waits for what"
        " it keeps. Rows are those that one execution leaves.",
        measure_peers,
    ),
}

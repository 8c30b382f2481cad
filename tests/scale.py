"""Very many executions, made by the database itself: for what has to stay quick however many there are.

Executions are numbered from 1, the oldest, over ninety days up to now. Their ids are UUIDv7s in time order. They are of
20 pipelines, some of which run far more often than others. Most completed, some failed or were cancelled; the newest
few run or wait. Those that failed did so in three ways. One in ten has attributes. Only the newest have steps, with a
retry here and there, lines of log, and some ask a person.
"""

from collections.abc import Iterator
from typing import Any

from ia_modules.database.driver import Dialect
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId

PIPELINES = 20
DAYS = 90
FAILURE_WAYS = 3

_AT_ONCE = 50_000

# What differs: a row for each number, a time and an id from milliseconds, numbers as hexadecimal.
_NUMBERS: dict[Dialect, str] = {
    "sqlite": """
numbers (n) AS (
    SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)""",
    "postgresql": """
numbers (n) AS (SELECT n FROM generate_series(CAST(:first AS BIGINT), CAST(:last AS BIGINT)) AS n)""",
}
_TIME: dict[Dialect, str] = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f', ({}) / 1000.0, 'unixepoch') || '000Z'",
    "postgresql": "to_timestamp(({}) / 1000.0)",
}
_ID: dict[Dialect, str] = {
    "sqlite": "printf('%08x-%04x-7%03x-8%03x-%012x', ({0}) / 65536, ({0}) % 65536, ({1}) % 4096, ({2}) % 4096, {1})",
    "postgresql": "CAST(lpad(to_hex(({0}) / 65536), 8, '0') || '-' || lpad(to_hex(({0}) % 65536), 4, '0')"
    " || '-7' || lpad(to_hex(({1}) % 4096), 3, '0') || '-8' || lpad(to_hex(({2}) % 4096), 3, '0')"
    " || '-' || lpad(to_hex({1}), 12, '0') AS UUID)",
}

_INSERT_PIPELINES = """
WITH RECURSIVE {numbers}
INSERT INTO pipelines (id, slug, name, created_at, updated_at)
SELECT {pipeline_id}, 'pipeline-' || n, 'Pipeline ' || n, ia_now(), ia_now() FROM numbers"""

# A number's square, so that a few pipelines have most: what is below 20 from 400 numbers.
_INSERT_EXECUTIONS = """
WITH RECURSIVE {numbers},
dated AS (
    SELECT n,
           CAST(:until AS BIGINT) - (CAST(:total AS BIGINT) - n) * CAST(:gap AS BIGINT) AS ms,
           n * 7919 % 1000 AS luck,
           n * 104729 % 400 AS draw
      FROM numbers),
standing AS (
    SELECT n, ms, luck, draw,
           CASE
               WHEN n > CAST(:total AS BIGINT) - 20 THEN 'running'
               WHEN n > CAST(:total AS BIGINT) - 60 THEN 'pending'
               WHEN n > CAST(:total AS BIGINT) - 80 THEN 'waiting_for_human'
               WHEN luck < 880 THEN 'completed'
               WHEN luck < 960 THEN 'failed'
               ELSE 'cancelled'
           END AS status
      FROM dated)
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, status, managed, trigger, owner, epoch, sequence, total_steps,
    completed_steps, input_data, output_data, error_type, error_message, failure_group, created_at, started_at,
    completed_at)
SELECT {execution_id}, {pipeline_id}, 'Pipeline ' || {pipeline}, status, {true}, 'api',
       CASE WHEN status = 'running' THEN 'worker-' || (n % 3) END, 1, 12, 5, 5, {payload},
       CASE WHEN status = 'completed' THEN {payload} END,
       CASE WHEN status = 'failed' THEN 'StepError' END,
       CASE WHEN status = 'failed' THEN 'Step ''load'' failed: no answer from host number ' || (n % 100) END,
       CASE WHEN status = 'failed' THEN {failure_group} END,
       {created_at}, CASE WHEN status <> 'pending' THEN {started_at} END,
       CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN {completed_at} END
  FROM standing"""

# One of ten has a team, which is the same, and one of many customers.
_INSERT_ATTRIBUTES = """
WITH RECURSIVE {numbers},
dated AS (
    SELECT n, CAST(:until AS BIGINT) - (CAST(:total AS BIGINT) - n) * CAST(:gap AS BIGINT) AS ms
      FROM numbers WHERE n % 10 = 0),
places (place) AS (SELECT 1 UNION ALL SELECT 2)
INSERT INTO execution_attributes (key, value, execution_id)
SELECT CASE place WHEN 1 THEN 'metadata.team' ELSE 'input.customer' END,
       CASE place WHEN 1 THEN 'blue' ELSE 'customer-' || (n / 10 % 50) END, {execution_id}
  FROM dated CROSS JOIN places"""

_INSERT_FAILURE_GROUPS = """
INSERT INTO failure_groups (pipeline_id, failure_group, rule, step_id, error_type, message, created_at)
SELECT id, :failure_group, 1, 'load', 'OSError', 'no answer from host number <n>', ia_now() FROM pipelines"""

_INSERT_STEPS = """
WITH RECURSIVE {numbers},
places (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < 5),
attempts (attempt) AS (SELECT 1 UNION ALL SELECT 2),
dated AS (
    SELECT n, place, attempt,
           CAST(:until AS BIGINT) - (CAST(:total AS BIGINT) - n) * CAST(:gap AS BIGINT) AS ms,
           (n * 5 + place) * 2 + attempt AS step_number
      FROM numbers CROSS JOIN places CROSS JOIN attempts
     WHERE place <= n % 6 AND (attempt = 1 OR (n % 10 = 3 AND place = 2)))
INSERT INTO step_executions (
    step_execution_id, execution_id, step_id, step_name, step_type, iteration, attempt, status, worker, routes,
    input_data, output_data, input_bytes, output_bytes, error_type, error_message, sequence, created_at, started_at,
    completed_at)
SELECT {step_id}, {execution_id}, 'step-' || place, 'Step ' || place, 'task', 1, attempt,
       CASE WHEN n % 10 = 3 AND place = 2 AND attempt = 1 THEN 'failed' ELSE 'completed' END, 'worker-1',
       CASE WHEN n % 10 = 3 AND place = 2 AND attempt = 1 THEN {retry} ELSE {paths} END, {payload}, {payload}, 200, 200,
       CASE WHEN n % 10 = 3 AND place = 2 AND attempt = 1 THEN 'OSError' END,
       CASE WHEN n % 10 = 3 AND place = 2 AND attempt = 1 THEN 'no answer' END,
       place * 2, {created_at}, {started_at}, {completed_at}
  FROM dated"""

_INSERT_LOGS = """
WITH RECURSIVE {numbers},
lines (line) AS (SELECT 1 UNION ALL SELECT line + 1 FROM lines WHERE line < 4),
dated AS (
    SELECT n, line, n * 4 + line AS line_number,
           CAST(:until AS BIGINT) - (CAST(:total AS BIGINT) - n) * CAST(:gap AS BIGINT) AS ms
      FROM numbers CROSS JOIN lines)
INSERT INTO execution_logs (log_id, execution_id, level, message, sequence, logged_at)
SELECT {log_id}, {execution_id}, CASE WHEN line = 4 THEN 'warning' ELSE 'info' END, 'Line ' || line || ' of ' || n,
       line, {started_at}
  FROM dated"""

_INSERT_INTERACTIONS = """
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, sequence, created_at, completed_at)
SELECT step_execution_id, step.execution_id, step_execution_id,
       CASE WHEN execution.status = 'waiting_for_human' THEN 'pending' ELSE 'answered' END, 'Is it good?', '{{}}',
       4, step.created_at,
       CASE WHEN execution.status <> 'waiting_for_human' THEN step.completed_at END
  FROM step_executions AS step
  JOIN pipeline_executions AS execution ON execution.execution_id = step.execution_id
 WHERE step_id = 'step-5'"""

_PAYLOAD = '{"source": "s3://nightly/imports", "rows": 48123, "options": {"retries": 3, "strict": true}, "note": "x"}'


async def generate(database: DatabaseManager, executions: int, *, with_steps: int, until_ms: int) -> None:
    """Fill an empty database.

    Args:
        executions: how many in all.
        with_steps: so many of the newest have steps and lines.
        until_ms: when the newest was created, in milliseconds since 1970.
    """
    sentences = _sentences(database.dialect)
    times = {"total": executions, "until": until_ms, "gap": DAYS * 86_400_000 // executions}
    await database.execute_async(sentences["pipelines"], {"first": 1, "last": PIPELINES})
    for way in range(FAILURE_WAYS):
        await database.execute_async(_INSERT_FAILURE_GROUPS, {"failure_group": failure_group(way)})
    for first, last in _portions(1, executions):
        await database.execute_async(sentences["executions"], {"first": first, "last": last, **times})
        await database.execute_async(sentences["attributes"], {"first": first, "last": last, **times})
    for first, last in _portions(max(1, executions - with_steps + 1), executions):
        await database.execute_async(sentences["steps"], {"first": first, "last": last, **times})
        await database.execute_async(sentences["logs"], {"first": first, "last": last, **times})
    await database.execute_async(sentences["interactions"])
    for number in range(3):
        await database.execute_async(database.query("beat"), _worker(number))


async def analyze(database: DatabaseManager) -> None:
    """Let the database learn how much there is of what, as PostgreSQL does by itself after a while."""
    await database.execute_async("ANALYZE" if database.dialect == "sqlite" else "VACUUM ANALYZE")


def execution_id(number: int, executions: int, *, until_ms: int) -> str:
    """The id of the execution with a number."""
    ms = until_ms - (executions - number) * (DAYS * 86_400_000 // executions)
    return f"{ms >> 16:08x}-{ms & 65535:04x}-7{number % 4096:03x}-8{number * 31 % 4096:03x}-{number:012x}"


def pipeline_id(number: int) -> PipelineId:
    """The id of the pipeline with a number; its slug is ``pipeline-<number>``."""
    return PipelineId(f"{0:08x}-0000-7{number:03x}-8{number:03x}-{number:012x}")


def failure_group(way: int) -> str:
    """The group of the executions that failed in one of the ways."""
    return f"{way:016x}"


def _sentences(dialect: Dialect) -> dict[str, str]:
    time, new_id = _TIME[dialect], _ID[dialect]
    parts = {
        "numbers": _NUMBERS[dialect].strip(),
        "execution_id": new_id.format("ms", "n", "n * 31"),
        "step_id": new_id.format("ms + place * 10 + attempt", "step_number", "step_number * 31"),
        "log_id": new_id.format("ms + line", "line_number", "line_number * 31"),
        "pipeline": "(CAST(floor(sqrt(draw)) AS INTEGER) + 1)",
        "created_at": time.format("ms"),
        "started_at": time.format("ms + 200"),
        "completed_at": time.format("ms + 300 + n * n % 60000"),
        "payload": f"'{_PAYLOAD}'" if dialect == "sqlite" else f"CAST('{_PAYLOAD}' AS JSON)",
        "retry": _json('{"next": "retry", "delay_seconds": 1.0}', dialect),
        "paths": _json('{"next": "paths", "paths": []}', dialect),
        "true": "TRUE",
        "failure_group": " ".join(
            ["CASE luck % 3", *(f"WHEN {way} THEN '{failure_group(way)}'" for way in range(FAILURE_WAYS)), "END"]
        ),
    }
    return {
        "pipelines": _INSERT_PIPELINES.format(**parts, pipeline_id=new_id.format("0", "n", "n")),
        "executions": _INSERT_EXECUTIONS.format(
            **parts, pipeline_id=new_id.format("0", parts["pipeline"], parts["pipeline"])
        ),
        "attributes": _INSERT_ATTRIBUTES.format(**parts),
        "steps": _INSERT_STEPS.format(**parts),
        "logs": _INSERT_LOGS.format(**parts),
        "interactions": _INSERT_INTERACTIONS.format(**parts),
    }


def _json(text: str, dialect: Dialect) -> str:
    return f"'{text}'" if dialect == "sqlite" else f"CAST('{text}' AS JSON)"


def _portions(first: int, last: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, _AT_ONCE):
        yield start, min(last, start + _AT_ONCE - 1)


def _worker(number: int) -> dict[str, Any]:
    return {
        "worker_id": f"worker-{number}",
        "host": "localhost",
        "pid": number + 1,
        "version": "0.1.0",
        "slots": 4,
        "note": None,
        "lease_seconds": 15.0,
    }

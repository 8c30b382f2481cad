-- What is open and nobody goes on with: of an execution (from '' upwards), or of what is within one run. What has :upto or
-- more for its sequence came later, in the same batch: after the execution was reopened, or in the run's next attempt.

-- name: close_steps
-- With a process only that is lost which ran: what has not begun and what waits is gone on with, and what runs elsewhere
-- (transitions.ELSEWHERE) goes on there.
UPDATE step_executions
   SET status = :status,
       sequence = :sequence,
       error_type = :error_type,
       error_message = :error_message,
       completed_at = ia_now()
 WHERE execution_id = :execution_id
   AND within >= :path
   AND within < :beyond
   AND sequence < :upto
   AND (status = 'running' OR (status IN ('pending', 'waiting') AND CAST(:has_ended AS BOOLEAN)))
   AND NOT (CAST(:spares_elsewhere AS BOOLEAN) AND status = 'running' AND substr(COALESCE(awaits, ''), 1, 4) = 'ray:');

-- name: close_interactions
UPDATE interactions
   SET status = 'cancelled', sequence = :sequence, completed_at = ia_now()
 WHERE execution_id = :execution_id
   AND sequence < :upto
   AND status = 'pending'
   AND EXISTS (SELECT 1
                 FROM step_executions AS asker
                WHERE asker.step_execution_id = interactions.step_execution_id
                  AND (asker.step_execution_id = :attempt OR (asker.within >= :path AND asker.within < :beyond)));

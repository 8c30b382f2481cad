-- Who did what. Rows are only added.

-- name: insert_audit
-- Once, also when its transaction is tried again, since nobody knows whether it was committed.
INSERT INTO audit_log (audit_id, actor, action, subject, detail, created_at)
VALUES (:audit_id, :actor, :action, :subject, :detail, ia_now())
ON CONFLICT (audit_id) DO NOTHING;

-- name: read_last_audit
SELECT actor, created_at FROM audit_log WHERE subject = :subject AND action = :action ORDER BY audit_id DESC LIMIT 1;

-- name: read_audit_details
-- What else is known of one action on one subject, the newest first.
SELECT detail FROM audit_log WHERE subject = :subject AND action = :action ORDER BY audit_id DESC LIMIT 1000;

-- name: read_offers
-- What files, people and programs have offered as versions of a pipeline, and chosen among them; the newest first.
SELECT subject, action, actor, detail, created_at
  FROM audit_log
 WHERE subject = :subject
   AND action IN ('pipeline.register_file', 'pipeline.make_current', 'pipeline.store_beside')
 ORDER BY audit_id DESC
 LIMIT 1000;

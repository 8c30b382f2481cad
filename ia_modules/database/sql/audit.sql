-- Who did what. Rows are only added.

-- name: insert_audit
INSERT INTO audit_log (audit_id, actor, action, subject, detail, created_at)
VALUES (:audit_id, :actor, :action, :subject, :detail, ia_now());

"""Who did what: a row for everything that a caller changed. Rows are only added."""

from dataclasses import dataclass

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import new_id
from ia_modules.payload import clean_text


@dataclass(frozen=True, slots=True)
class AuditLog:
    database: DatabaseManager

    async def write(self, actor: str, action: str, subject: str) -> None:
        """Keep who did it, what was done and to what; call it when it is done.

        Args:
            action: object and verb, such as ``execution.cancel``.
            subject: an id.
        """
        row = {
            "audit_id": new_id(),
            "actor": clean_text(actor),
            "action": action,
            "subject": subject,
            "detail": None,
        }
        await self.database.execute_async(self.database.query("insert_audit"), row)

"""Identifies callers by a key, or by a session that was started with one. Pure: no session is stored.

A session is a signed text. What signs it is made from the key it was begun with, so it holds on every server that knows
that key, and ends when the key is taken away.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, TimestampSigner

from ia_modules.tracker.inbox import Person
from showcase_app.backend.settings import ApiKey, Role

SESSION_LASTS = timedelta(days=30)

_SUBJECT = "session"


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: the name for the audit log, and the role."""

    actor: str
    role: Role

    @property
    def may_write(self) -> bool:
        return self.role is Role.OPERATOR

    @property
    def only_asked(self) -> Person | None:
        """An approver, who sees questions that it may answer, and nothing else; None: the caller sees everything."""
        return Person(name=self.actor, role=self.role) if self.role is Role.APPROVER else None


LOCAL = Caller("local", Role.OPERATOR)
"""Everybody, on a server without keys: only this machine reaches it."""

ANONYMOUS = Caller("anonymous", Role.VIEWER)
"""Who has given no key on a server that has some; may ask only for what stands open."""


class Keyring:
    """The keys of one server."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)
        self._signers = tuple((_signer(key), key) for key in self._keys)

    @property
    def required(self) -> bool:
        """Whether a caller must have a key at all."""
        return bool(self._keys)

    @property
    def names(self) -> list[str]:
        """The names that keys stand for, in order."""
        return sorted({key.name for key in self._keys})

    def caller_with_key(self, secret: str) -> Caller | None:
        """Whose key this is; None: nobody's. Takes equally long whichever key comes close."""
        found = [key for key in self._keys if hmac.compare_digest(key.key.encode(), secret.encode())]
        return _caller(found[0]) if found else None

    def new_session(self, secret: str) -> str | None:
        """A session for the owner of this key; None: it is nobody's."""
        for signer, key in self._signers:
            if hmac.compare_digest(key.key.encode(), secret.encode()):
                return signer.sign(_SUBJECT).decode()
        return None

    def caller_of_session(self, session: str) -> Caller | None:
        """Whose session this is; None: it has expired, or none of the keys that are known now began it."""
        for signer, key in self._signers:
            try:
                subject = signer.unsign(session, max_age=int(SESSION_LASTS.total_seconds()))
            except BadSignature:
                continue
            if subject == _SUBJECT.encode():
                return _caller(key)
        return None


def _caller(key: ApiKey) -> Caller:
    return Caller(key.name, key.role)


def _signer(key: ApiKey) -> TimestampSigner:
    """The signer of one key's sessions. The key's owner could sign too, but only sessions of their own."""
    return TimestampSigner(key.key, salt="ia_modules.session", key_derivation="hmac", digest_method=hashlib.sha256)

"""What can be made to go wrong in the store: rules that strike at requests, limits on its pace."""

from __future__ import annotations

import enum
import random
import re
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.benchmarks.messages import Request

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)|^AWS ([^:]+):")


class Kind(enum.Enum):
    """How a request goes wrong."""

    STATUS = "status"  # an error answer
    RESET = (
        "reset"  # the connection is reset: an upload in mid-body, anything else before the answer
    )
    HANG = "hang"  # no answer
    TRUNCATE = "truncate"  # it is carried out, but the answer breaks off
    DAMAGE = "damage"  # other bytes are stored than were sent
    OPAQUE = "opaque"  # the ETag is no MD5, as with SSE-KMS


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing going wrong. ``seconds``: a hang's length (``None``: for ever), then a reset."""

    kind: Kind
    status: int = 500
    code: str = "InternalError"
    retry_after: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Rule:
    """Strikes at requests whose operation and key fit the globs.

    ``after``: lets that many pass first. ``times``: strikes at most so often. ``probability`` is
    drawn from a generator of its own, so that one seed gives the same blows.
    """

    fault: Fault
    operation: str = "*"
    key: str = "*"
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    struck: int = 0
    _seen: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the generator."""
        self._random = random.Random(self.seed)

    def strikes(self, operation: str, key: str) -> Fault | None:
        """The fault, if this request is hit."""
        if not (fnmatchcase(operation, self.operation) and fnmatchcase(key, self.key)):
            return None
        self._seen += 1
        if self._seen <= self.after or (self.times is not None and self.struck >= self.times):
            return None
        if self.probability < 1 and self._random.random() >= self.probability:
            return None
        self.struck += 1
        return self.fault


@dataclass(slots=True)
class Link:
    """A shared link of ``rate`` bytes a second; ``None`` is one without limit."""

    rate: float | None = None
    free_at: float = 0.0

    def toll(self, size: int) -> float:
        """Seconds until ``size`` bytes more have passed."""
        if not self.rate:
            return 0.0
        now = time.monotonic()
        self.free_at = max(now, self.free_at) + size / self.rate
        return self.free_at - now


@dataclass(slots=True)
class Turnstile:
    """Lets ``rate`` requests a second through, after a second's worth at once; ``None``: all."""

    rate: float | None = None
    tokens: float = 0.0
    filled_at: float | None = None

    def passes(self) -> bool:
        """Whether one more may pass now."""
        if not self.rate:
            return True
        now = time.monotonic()
        if self.filled_at is None:
            self.tokens = self.rate
        else:
            self.tokens = min(self.rate, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Troubles:
    """The rules in force.

    ``faults``: rules, or callables that take a ``Request`` (without body) and return a ``Fault`` or
    ``None``; the first that strikes counts. ``refused``: access keys that get a 403.
    """

    def __init__(self) -> None:
        """None."""
        self.turnstile = Turnstile()
        self.faults: list[Rule | Callable[[Request], Fault | None]] = []
        self.refused: set[str] = set()

    def fail(
        self,
        operation: str = "*",
        *,
        key: str = "*",
        status: int = 500,
        code: str = "",
        retry_after: int | None = None,
        **rule: float | None,
    ) -> Rule:
        """Answer requests that fit with an error; ``rule`` are more fields of ``Rule``."""
        usual = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}
        code = code or usual.get(status, "InternalError")
        return self.strike(
            Fault(Kind.STATUS, status, code, retry_after), operation, key=key, **rule
        )

    def hang(self, operation: str = "*", *, key: str = "*", seconds: float | None = None) -> Rule:
        """Do not answer requests that fit; reset them after ``seconds``, if given."""
        return self.strike(Fault(Kind.HANG, seconds=seconds), operation, key=key)

    def strike(
        self,
        fault: Fault | Kind,
        operation: str = "*",
        *,
        key: str = "*",
        **rule: float | None,
    ) -> Rule:
        """Add a rule for any fault."""
        fault = Fault(fault) if isinstance(fault, Kind) else fault
        added = Rule(fault, operation, key, **rule)  # type: ignore[arg-type]  # fields of Rule
        self.faults.append(added)
        return added

    def trouble(self, request: Request) -> Fault | None:
        """What shall go wrong with a request, if anything."""
        if self.turnstile.rate and not self.turnstile.passes():
            return Fault(Kind.STATUS, 503, "SlowDown")
        if self.refused and access_key(request) in self.refused:
            return Fault(Kind.STATUS, 403, "InvalidAccessKeyId")
        for culprit in self.faults:
            if isinstance(culprit, Rule):
                fault = culprit.strikes(request.operation, request.key)
            else:
                fault = culprit(request)
            if fault is not None:
                return fault
        return None


def access_key(request: Request) -> str:
    """The access key that a request is signed with, empty if it is not."""
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    return (found[1] or found[2]) if found else ""

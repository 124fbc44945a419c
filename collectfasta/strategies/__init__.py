"""What differs per storage, one module each."""

from __future__ import annotations

from collectfasta.strategies.base import DisabledStrategy, Strategy, load_strategy

__all__ = ["DisabledStrategy", "Strategy", "load_strategy"]

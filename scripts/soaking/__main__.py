"""Thousands of random sequences, hundreds of runs in a row, several runs at once.

Exits with status 1, and tells the seed, as soon as anything is not as it should be.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from scripts.soaking import sequences, steady, together


def main(arguments: list[str] | None = None) -> None:
    """Do what was asked for. Raises ``AssertionError`` for what does not hold."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--sequences", type=int, default=3000, help="of the model (3000)")
    parser.add_argument("--runs", type=int, default=200, help="in a row, in one process (200)")
    parser.add_argument("--rounds", type=int, default=10, help="of four runs at once (10)")
    parser.add_argument("--files", type=int, default=500, help="in those runs' trees (500)")
    parser.add_argument("--seed", type=int, help="one that was printed before")
    chosen = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if chosen.seed is None else chosen.seed
    say(f"seed {seed}")
    started = time.monotonic()
    if chosen.runs:
        steady.soak(chosen.runs, chosen.files, random.Random(seed), say)
    if chosen.rounds:
        together.soak(chosen.rounds, chosen.files, random.Random(seed), say)
    if chosen.sequences:
        sequences.soak(chosen.sequences, random.Random(seed), say)
    say(f"all is well, after {time.monotonic() - started:.0f} s")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
    sys.exit(0)

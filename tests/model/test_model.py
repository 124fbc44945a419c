"""The model, for a few hundred sequences; ``scripts/soak`` tries thousands.

Each of these changes to the code has been made by hand, and is caught here:

- proof: a record counts without its etag being compared; equal sizes are taken for equal bytes; a
  page of the cache is read without its seal; a record is written before its upload has succeeded;
- headers: the record's fingerprint is not compared; without a record nobody looks at the object's
  headers; records of headers that are about to be replaced are not dropped first; a manifest that
  says the same as the live one is left alone whatever its headers;
- failures: a failed upload counts as one that was made; a failing cache ends the run;
- order: the manifest goes first; plain files and the manifest follow although hashed files failed;
  ``--clear`` deletes although something failed; a dry run sends;
- wholeness: a file on a disk is written in place; an object is deleted before it is written anew;
- only what was collected: one file more is sent along;
- the storage as it is configured: it gzips, and we do not;
- interrupts: a run that was told to stop goes on.

Of the ten promises that leaves two that no sequence of runs can show: stock Django where the app is
disabled (``tests/test_command.py``), and bounded memory (``tests/faults/test_small_machines.py``).
"""

from __future__ import annotations

import os
import random
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import run_state_machine_as_test

from tests.model import cloud_worlds, worlds
from tests.model.machine import Machine

pytestmark = pytest.mark.timeout(600)
"""Seconds: on a machine that has other work a part may take minutes; what hangs still ends."""

SEED = "COLLECTFASTA_MODEL_SEED"
SEQUENCES = "COLLECTFASTA_MODEL_SEQUENCES"
STEPS = 10


def explore(world: type[worlds.World], part: int, sequences: int) -> None:
    """So many random sequences. The seed is printed, and may be given: a number, or ``random``.

    By default each part has its own, always the same: whoever changes something else must not
    meet a failure that was there before. New ones are tried by ``scripts/soak``.
    """
    given = os.environ.get(SEED) or str(part)
    chosen = random.SystemRandom().randrange(2**32) if given == "random" else int(given)
    sequences = int(os.environ.get(SEQUENCES) or sequences)
    sys.stdout.write(f"{SEED}={chosen} {SEQUENCES}={sequences}\n")
    explore_with(world, chosen, sequences)


def explore_with(world: type[worlds.World], seed: int, sequences: int) -> None:
    """Raises whatever the first sequence raises that fails, which it tells."""
    machine: Any = hypothesis.seed(seed)(type(world.__name__, (Machine,), {"world_class": world}))
    settings = hypothesis.settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate,),  # making a short sequence shorter takes minutes
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    with pytest.MonkeyPatch.context() as patch:
        # Five of six sequences would be variants of the one before, that find nothing new.
        patch.setattr(ConjectureRunner, "generate_mutations_from", _no_variants, raising=False)
        run_state_machine_as_test(machine, settings=settings)


def _no_variants(self: ConjectureRunner, data: object) -> None:
    """Every sequence is a new one."""


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("world", [worlds.Disk, worlds.CachingDisk])
def test_a_disk_holds_what_was_collected(world: type[worlds.World], part: int) -> None:
    """With and without records of what was copied; uploads fail as on a full disk."""
    explore(world, part, 20)


@pytest.mark.parametrize("part", range(5))
def test_a_bucket_on_s3_holds_what_was_collected(part: int) -> None:
    """Its ETags are MD5s: what was sent can be proven without records, headers cannot."""
    explore(worlds.S3, part, 10)


@pytest.mark.parametrize("part", range(2))
def test_a_bucket_with_sse_kms_holds_what_was_collected(part: int) -> None:
    """Its ETags are nothing but random: only records prove anything."""
    explore(worlds.OpaqueS3, part, 10)


@pytest.mark.parametrize("part", range(2))
def test_a_bucket_on_google_holds_what_was_collected(part: int) -> None:
    """Every write moves the generation, and the listing shows headers."""
    explore(cloud_worlds.Google, part, 20)


@pytest.mark.parametrize("part", range(2))
def test_a_container_on_azure_holds_what_was_collected(part: int) -> None:
    """Every write moves the ETag, and the listing shows headers; nothing is gzipped."""
    explore(cloud_worlds.Azure, part, 20)

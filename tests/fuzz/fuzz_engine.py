"""Feeds an engine mutated observations of the shipped recordings: whatever arrives, it answers or refuses, and never fails.

    python tests/fuzz/fuzz_engine.py [how many, 100000] [seed, 1]

What the codec refuses becomes a dead letter, and so does an observation whose times cannot be read; anything else is a bug. Each
answer must be encoded and decoded again, and must keep the limits of the contract.
"""

import random
import sys
from pathlib import Path
from typing import Any

import msgspec

import podcause
from collector.replaying import replay
from processor.engine import Engine, MemoryStore, UnusableObservationError
from schemas.codec import RECORD_MAX_BYTES, UndecodableRecordError, decode_diagnosis, decode_observation, encode

RECORDINGS = Path(podcause.__file__).parent / "data" / "recordings"

#: What a field is replaced by, besides values of other observations.
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 137, 255, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**64, -(2**64), 1.5, float(2**70)),
    *("", " ", "\x00", "\n", "a", "é", "\U0001f600", "x" * 3000, "2026-11-22T16:30:00.000Z", "0001-01-01T00:00:00Z"),
    *(
        "9999-12-31T23:59:59.999Z",
        "1969-12-31T23:59:59Z",
        "2026-11-22T16:30:00+23:59",
        "2026-11-22",
        "now",
        "1970-01-01T00:00:00Z",
    ),
    *(
        "Failed",
        "Evicted",
        "OOMKilled",
        "Killing",
        "BackOff",
        "Unhealthy",
        "ContainerStatusUnknown",
        "Unknown",
        "Never",
        "OnFailure",
    ),
    *(
        "Succeeded",
        "Pending",
        "True",
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "RunContainerError",
        "spec.containers{x}",
        "{",
        "%s",
    ),
    *(
        "Liveness probe failed: ",
        "(combined from similar events): Container x failed liveness probe, will be restarted",
        "@",
        ":",
    ),
    *([], {}, [None], [[]], {"a": 1}, ["x"], {"terminated": {}}, {"waiting": {}}, {"running": {}}),
)


class Mutator:
    """Draws observations and damages them, from one seed."""

    def __init__(self, seed: int) -> None:
        self.drawn = random.Random(seed)
        paths = sorted(RECORDINGS.glob("*.jsonl.gz"))
        self.corpus: list[dict[str, Any]] = [msgspec.to_builtins(item) for path in paths for item in replay([path])]
        self.paths = [list(_paths(item)) for item in self.corpus]
        # Damage to the envelope is refused by the codec and teaches little: most goes to what the engine reads.
        self.inner = [[path for path in paths if path[0] in ("event", "pod", "log") and len(path) > 1] for paths in self.paths]
        self.at = 0

    def next(self) -> bytes:
        """The next observation, or one from elsewhere, with up to four damages."""
        drawn = self.drawn
        self.at = (self.at + 1) % len(self.corpus) if drawn.random() < 0.8 else drawn.randrange(len(self.corpus))
        item = _copy(self.corpus[self.at])
        for _ in range(drawn.choice((0, 1, 1, 1, 2, 4) if self.inner[self.at] else (0, 0, 0, 1))):
            self._damage(item)
        return msgspec.json.encode(item)

    def _damage(self, item: dict[str, Any]) -> None:
        drawn = self.drawn
        inner = self.inner[self.at]
        path = drawn.choice(inner if inner and drawn.random() < 0.9 else self.paths[self.at])
        holder: Any = item
        for step in path[:-1]:
            if not _has(holder, step):
                return
            holder = holder[step]
        if not _has(holder, path[-1]):
            return
        kind = drawn.random()
        if kind < 0.3:
            del holder[path[-1]]
        elif kind < 0.6:
            # Mostly of the same type, so that the codec lets it through.
            alike = [value for value in HOSTILE if type(value) is type(holder[path[-1]])]
            holder[path[-1]] = _copy(drawn.choice(alike if alike and drawn.random() < 0.8 else HOSTILE))
        elif kind < 0.7 and isinstance(holder, list):
            holder.extend(_copy(holder[path[-1]]) for _ in range(drawn.randrange(1, 8)))
        elif kind < 0.8 and isinstance(holder[path[-1]], str):
            holder[path[-1]] = self._bend(holder[path[-1]])
        elif isinstance(holder[path[-1]], int) and not isinstance(holder[path[-1]], bool):
            holder[path[-1]] += drawn.choice((-(10**6), -2, -1, 1, 2, 10**6))
        else:
            other = drawn.randrange(len(self.corpus))
            holder[path[-1]] = _copy(_value(self.corpus[other], drawn.choice(self.paths[other])))

    def _bend(self, text: str) -> str:
        drawn = self.drawn
        begin = drawn.randrange(len(text) + 1)
        finish = min(len(text), begin + drawn.randrange(8))
        return text[:begin] + str(drawn.choice(HOSTILE))[:40] * drawn.randrange(3) + text[finish:]


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*before, step)
        yield from _paths(inner, (*before, step))


def _has(holder: Any, step: Any) -> bool:
    return (
        step in holder
        if isinstance(holder, dict)
        else isinstance(holder, list) and isinstance(step, int) and step < len(holder)
    )


def _value(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(inner) for inner in value]
    return value


def run(count: int, seed: int = 1) -> dict[str, int]:
    """Feed so many observations; returns what became of them. Raises what the engine raises, with the observation noted."""
    mutator = Mutator(seed)
    engine = Engine(MemoryStore())
    tally = {"taken": 0, "refused by the codec": 0, "refused by the engine": 0, "revisions": 0}
    for number in range(count):
        if number % 5000 == 0:
            # A clock that was damaged may have run ahead for good: begin anew.
            engine = Engine(MemoryStore())
        value = mutator.next()
        try:
            revisions = engine.feed(decode_observation(value))
        except UndecodableRecordError:
            tally["refused by the codec"] += 1
            continue
        except UnusableObservationError:
            tally["refused by the engine"] += 1
            continue
        except Exception as error:
            error.add_note(f"observation {number} of seed {seed}: {value!r}")
            raise
        tally["taken"] += 1
        tally["revisions"] += len(revisions)
        for revision in revisions:
            written = encode(revision)
            if len(written) > RECORD_MAX_BYTES or decode_diagnosis(written) != revision:
                raise ValueError(f"observation {number} of seed {seed}: not a record of the contract: {written[:2000]!r}")
    return tally


def main() -> None:
    """Run from the command line."""
    print(run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1))


if __name__ == "__main__":
    main()

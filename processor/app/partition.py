"""One partition: its engine, and the group commit that is being filled. Feeding is here; sending is not.

A record is applied once. What it brings about stays in memory until the whole batch is committed (processor.app.committing).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from processor.app.dead_letters import Stage, dead_letter
from processor.app.output import diagnosis_record
from processor.app.records import OutgoingRecord, SourceRecord
from processor.app.settings import ProcessorSettings
from processor.app.state import PartitionedTable, PartitionStore
from processor.engine import HistoryStore
from processor.settings import CorrelationSettings
from schemas.codec import UndecodableRecordError, decode_observation
from schemas.diagnosis import Diagnosis
from schemas.observation import Observation

_log = structlog.stdlib.get_logger(__name__)


class Correlator(Protocol):
    """What the app needs of an engine (processor.engine.Engine)."""

    def feed(self, observation: Observation) -> list[Diagnosis]:
        """Apply one observation; returns the revisions that it brings about, in order."""


EngineFactory = Callable[[HistoryStore, CorrelationSettings], Correlator]


@dataclass(slots=True)
class Counters:
    """What the worker has done since it started."""

    applied: int = 0
    repeated: int = 0
    skipped_offsets: int = 0
    diagnoses: int = 0
    commits: int = 0
    dead_letters: dict[Stage, int] = field(default_factory=lambda: {"decoding": 0, "correlation": 0})


@dataclass(frozen=True, slots=True)
class Batch:
    """What one group commit of one partition consists of."""

    partition: int
    offset: int
    changes: dict[str, bytes | None]
    outputs: tuple[OutgoingRecord, ...]
    dead_letters: tuple[OutgoingRecord, ...]


class Partition:
    """One partition's state and engine. ``applied`` is the last offset fed, ``committed`` the last that Kafka has acknowledged."""

    def __init__(
        self,
        number: int,
        table: PartitionedTable,
        settings: ProcessorSettings,
        engine_factory: EngineFactory,
        counters: Counters,
        *,
        applied: int = -1,
    ) -> None:
        self.number = number
        self.applied = applied
        self.committed = applied
        #: Whether the journal's head still holds a commit that a recovery would do again.
        self.unsettled = False
        self.chunks = 0
        #: The reader was just told to go on at ``applied`` + 1: offsets that are skipped now are not in Kafka.
        self.at_known_position = True
        self._settings = settings
        self._engine_factory = engine_factory
        self._counters = counters
        self._store = PartitionStore(number, table)
        self._engine = self._new_engine()
        self._outputs: list[OutgoingRecord] = []
        self._dead_letters: list[OutgoingRecord] = []
        self._output_bytes = 0

    def apply(self, record: SourceRecord) -> None:
        """Apply one record, unless it was applied before. It never raises for what the record holds: that becomes a dead letter."""
        if record.offset <= self.applied:
            self._counters.repeated += 1
            return
        if self.applied >= 0 and record.offset > self.applied + 1:
            # Retention removed them, or they are the markers of a producer's transactions.
            self._counters.skipped_offsets += record.offset - self.applied - 1
            _log.warning(
                "source_offsets_skipped", topic=record.topic, partition=self.number, after=self.applied, before=record.offset
            )
        try:
            observation = decode_observation(record.value)
        except UndecodableRecordError as error:
            self._refuse(record, "decoding", error)
        else:
            self._feed(record, observation)
        self.applied = record.offset
        self.at_known_position = False

    def misses(self, offset: int) -> bool:
        """Whether records before that one did not come although they may be in Kafka: on their way through Faust they can get lost."""
        return self.applied >= 0 and offset > self.applied + 1 and not self.at_known_position

    @property
    def dirty(self) -> bool:
        """Whether there is anything to commit."""
        return self.applied > self.committed

    @property
    def full(self) -> bool:
        """Whether the batch should be committed before more is applied."""
        return (
            self.applied - self.committed >= self._settings.batch_max_records
            or self._store.changed_bytes + self._output_bytes >= self._settings.batch_max_bytes
        )

    def batch(self) -> Batch:
        """What is to be committed now. Nothing may be applied until ``committed_batch``."""
        return Batch(
            partition=self.number,
            offset=self.applied,
            changes=self._store.take_changes(),
            outputs=tuple(self._outputs),
            dead_letters=tuple(self._dead_letters),
        )

    def committed_batch(self, batch: Batch) -> None:
        """Kafka has acknowledged all of the batch, and the table holds it."""
        self.committed = batch.offset
        self._store.forget_changes()
        self._outputs.clear()
        self._dead_letters.clear()
        self._output_bytes = 0
        self._counters.commits += 1
        self._counters.diagnoses += len(batch.outputs)

    def _feed(self, record: SourceRecord, observation: Observation) -> None:
        self._store.begin()
        try:
            outputs = [
                diagnosis_record(diagnosis, self._settings.diagnoses_topic) for diagnosis in self._engine.feed(observation)
            ]
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug that one record meets must cost that record alone, and loudly
            self._store.roll_back()
            self._engine = self._new_engine()
            self._refuse(record, "correlation", error)
            return
        self._outputs.extend(outputs)
        self._output_bytes += sum(len(output.value or b"") for output in outputs)
        self._counters.applied += 1

    def _refuse(self, record: SourceRecord, stage: Stage, error: Exception) -> None:
        letter = dead_letter(record, stage, error, self._settings.dead_letters_topic)
        self._dead_letters.append(letter)
        self._output_bytes += len(record.value or b"")
        self._counters.dead_letters[stage] += 1
        log = _log.bind(topic=record.topic, partition=self.number, offset=record.offset, stage=stage)
        if stage == "correlation":
            log.error("record_dead_lettered", exc_info=error)
        else:
            log.warning("record_dead_lettered", error_class=type(error).__name__)

    def _new_engine(self) -> Correlator:
        return self._engine_factory(self._store, self._settings.correlation)

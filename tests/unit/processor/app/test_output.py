"""The Kafka record of a diagnosis, and the partition it goes to."""

from types import ModuleType

import pytest
from aiokafka.partitioner import DefaultPartitioner

from processor.app.output import diagnosis_record
from schemas.codec import decode_diagnosis


def test_a_diagnosis_has_its_pods_key_and_its_cloudevents_headers(kit: ModuleType) -> None:
    diagnosis = kit.make_diagnosis("cart", 3, "clock/9")

    record = diagnosis_record(diagnosis, "podcause.diagnoses.v1")

    assert (record.topic, record.key) == ("podcause.diagnoses.v1", b"kind/shop/cart")
    assert decode_diagnosis(record.value) == diagnosis
    assert record.headers == (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"id-cart.3"),
        ("ce_source", b"/clusters/cluster-uid"),
        ("ce_type", b"io.podcause.diagnosis.updated.v1"),
        ("ce_time", b"2026-11-22T10:00:00.000Z"),
        ("ce_subject", b"shop/cart"),
        ("ce_dataschema", b"https://podcause.io/schemas/v1/diagnosis.json"),
        ("ce_partitionkey", b"kind/shop/cart"),
    )


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        # From Kafka's own UtilsTest.testMurmur2.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_the_partition_is_the_one_that_java_clients_choose(key: bytes, murmur2: int) -> None:
    partitions = list(range(12))

    assert DefaultPartitioner()(key, partitions, partitions) == (murmur2 & 0x7FFFFFFF) % 12

"""The one importer of Faust: runs the pure engine over Kafka, exactly (docs/adr/0002-faust-and-exactness.md)."""

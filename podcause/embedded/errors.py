"""What can go wrong with the embedded broker. Every message says what to do next."""


class EmbeddedKafkaError(Exception):
    """The embedded broker can't be had; the message says why and what to do. A retry alone does not help."""


class JavaNotFoundError(EmbeddedKafkaError):
    """No Java runtime that is new enough."""


class ArtifactsError(EmbeddedKafkaError):
    """Kafka's jars could not be fetched. A retry may help: what has arrived is kept."""


class ChecksumError(ArtifactsError):
    """A jar is not the one that podcause pins. It has been removed; a retry does not help while its source serves it."""


class PortInUseError(EmbeddedKafkaError):
    """Another process listens on the port."""


class BrokerFailedError(EmbeddedKafkaError):
    """The broker ended, or was not ready in time; the message quotes its last log lines."""

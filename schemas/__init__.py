"""The records that cross Kafka: observations in, diagnoses out.

This package knows records, keys, identities and their encoding. It must not know Kubernetes clients, Kafka clients, Faust or any
rule: `collector` and `processor` both import it, and neither imports the other.
"""

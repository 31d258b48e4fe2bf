"""The collector: a cluster's watches, or a recording of them, become observations on Kafka.

Translation, redaction, significance and replay are pure and know neither Kafka nor a Kubernetes client; `publishing` (with
`kafka_client`) alone knows Kafka. This package must not know the processor: what a pod's trouble means is decided there.
"""

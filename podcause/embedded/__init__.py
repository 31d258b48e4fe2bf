"""A genuine Apache Kafka broker on this machine, for a machine that has Python alone.

It finds Java, fetches Kafka's jars once, and runs one broker that lives no longer than its parent. It knows nothing of
podcause's topics, records or processes. Nothing is imported here, so that one module does not pay for another's dependencies.
"""

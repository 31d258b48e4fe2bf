"""`make bench-collector`: podcause collect beside the OpenTelemetry Collector, on one API server in one run."""

"""Traces: what is observed of messages, as OpenTelemetry spans. Optional; begin with `tracing.py`."""

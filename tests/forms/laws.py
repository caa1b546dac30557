"""How Hypothesis runs here: a shared machine's pauses and TensorFlow's first import are no faults."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

LAW = settings(deadline=None, suppress_health_check=list(HealthCheck))

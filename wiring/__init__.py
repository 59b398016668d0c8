"""Assembly: settings, container, Temporal plugin, telemetry and the embedded stack; the only room that knows adapters."""

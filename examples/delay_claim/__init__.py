"""The main job: reviewing flight-delay claims against the real January 2013 departures of New York."""

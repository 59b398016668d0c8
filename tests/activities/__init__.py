"""The activities: journal interceptor, tool and model calls, records."""

"""The endpoints, one class per group; each takes its ports by constructor and adds its routes to the app."""

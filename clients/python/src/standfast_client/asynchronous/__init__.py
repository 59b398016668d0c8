"""The client for code on asyncio: the same surface with `await`."""

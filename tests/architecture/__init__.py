"""The rules of the house as tests: sizes, names, rooms, wire names, generated documents, addresses, the wheel."""

"""The tests of Standfast, by room; fakes and real servers they share stand beside them."""

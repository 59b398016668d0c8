"""A trip booked by a hand-written workflow with sagas: seats at once, a child workflow for the car, a pivot, and a follow-up."""

"""A seeded simulation of the follower, the log and the projection. docs/simulation.md says what it shows."""

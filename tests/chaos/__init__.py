"""The real parts as processes, and everything that befalls them. docs/chaos.md says what it shows."""

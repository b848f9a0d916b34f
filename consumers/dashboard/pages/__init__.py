"""The pages: each a pure function from what was read to what stands in the frame."""

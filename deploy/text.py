"""Text for a terminal: the same words as on the dashboard's pages."""

from consumers.text import final_words, short, visible

__all__ = ["final_words", "short", "visible"]

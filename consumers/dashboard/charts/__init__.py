"""Charts as SVG: pure functions from series to markup that needs no script, no inline style and no fixed width.

Across, places are percentages of whatever width a page gives; down, they are pixels. So text keeps its size on a phone,
and a chart has its height before anything is loaded.
"""

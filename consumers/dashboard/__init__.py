"""The dashboard: pages and an API over the tables, for people who must decide what is wrong in a fleet."""

"""One file per proto service: check, do, map, return."""

"""Secret values taken out of what leaves the router: whole bodies, bytes as they come, and streams of events."""

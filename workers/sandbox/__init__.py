"""Kernel-isolated sandboxes: an own launcher, with no daemon, no setuid binary and no image."""

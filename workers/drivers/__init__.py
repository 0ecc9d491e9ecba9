"""Sandboxes under another kernel or another engine: the control socket of a sandbox, carried over a program's pipes."""

"""The sidecar `egress`: the only way out of a sandbox, by CONNECT and plain HTTP, for what its policy lets through."""

"""Where a secret may be used: one host, one port, one glob of paths, and nowhere else."""

from signet.policy import hosts, paths
from signet.policy.model import Policy, SecretUse


def lent(policy: Policy, host: str, port: int) -> tuple[SecretUse, ...]:
    """Give the secrets that a policy lends to a host and port."""
    at = hosts.place(host)
    return tuple(use for use in policy.secrets if at is not None and use.port == port and use.host == at.text)


def carries(use: SecretUse, host: str, port: int, path: str, header: str) -> bool:
    """Tell whether a header of a request to a host, port and path may carry a secret. `path` is as it was sent."""
    at = hosts.place(host)
    if at is None or at.text != use.host or port != use.port or header.lower() != use.header:
        return False
    if use.path == paths.ANY:
        return paths.sendable(path)
    segments = paths.clean(path)
    return segments is not None and paths.sendable(path) and paths.matches(use.path, segments)

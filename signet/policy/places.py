"""The sections that name places: network blocks with their endpoints, secrets lent to one, and the router's APIs."""

import re

from signet.policy import hosts, ips, paths
from signet.policy.model import ACCESSES, TLS_MODES, Block, Endpoint, Network, Rule, SecretUse
from signet.policy.node import Node
from signet.policy.reader import Reader
from signet.policy.sections import path_trouble

BLOCK = ("endpoints", "binaries")
ENDPOINT = ("host", "port", "access", "tls", "rules", "deny", "allowed_ips")
RULE = ("method", "path")
SECRET = ("secret", "env", "host", "port", "path", "header")

MAX_BLOCKS, MAX_ENDPOINTS, MAX_RULES, MAX_BINARIES, MAX_IPS, MAX_SECRETS = 100, 200, 100, 100, 64, 50
MAX_APIS = 64
MAX_GLOB_LETTERS = 1000
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
ENV = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
METHOD = re.compile(r"\*|[A-Z]{1,20}")
HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
PRESET = "preset."

_OURS = re.compile(
    r"PATH|HOME|USER|SHELL|IFS|PWD|BASH_ENV|ENV|LD_.*|PYTHON.*|NODE_.*|GIT_.*|.*_PROXY|SSL_CERT_.*|.*_CA_BUNDLE|SIGNET_.*"
)
"""Variables that say how programs inside run, or how they reach the sidecars."""
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
                      "keep-alive", "proxy-connection", "content-type", "content-encoding"})  # fmt: skip


def network(reader: Reader, node: Node | None, *, presets: tuple[Block, ...], resolved: bool) -> Network:
    """Read `network` and add the blocks of presets. `resolved` is a canonical form, which has those blocks already."""
    blocks = []
    for name, key, value in reader.entries(node, "network", "a mapping of blocks"):
        if not NAME.fullmatch(name.removeprefix(PRESET) if resolved else name):
            reader.problem(key, f"network.{name}", "a block's name is 1 to 63 of a-z, 0-9 and -")
        blocks.append(block(reader, value, name, f"network.{name}"))
    if node is not None and len(blocks) > MAX_BLOCKS:
        reader.problem(node, "network", f"has {len(blocks)} blocks; at most {MAX_BLOCKS} are allowed")
    return Network(tuple(sorted([*blocks, *presets], key=lambda block: block.name)))


def block(reader: Reader, node: Node, name: str, where: str) -> Block:
    """Read one block."""
    found = reader.fields(node, where, BLOCK)
    reader.required(found, node, where, ("endpoints",))
    return Block(
        name=name,
        endpoints=tuple(
            _endpoint(reader, item, at)
            for item, at in reader.items(found.get("endpoints"), f"{where}.endpoints", MAX_ENDPOINTS)
        ),
        binaries=_binaries(reader, found.get("binaries"), f"{where}.binaries"),
    )


def secrets(reader: Reader, node: Node | None, network: Network) -> tuple[SecretUse, ...]:
    """Read `secrets`, sorted by name."""
    uses: dict[str, SecretUse] = {}
    for name, key, value in reader.entries(node, "secrets", "a mapping of uses"):
        where = f"secrets.{name}"
        if not NAME.fullmatch(name):
            reader.problem(key, where, "a use's name is 1 to 63 of a-z, 0-9 and -")
        use = _secret(reader, value, name, where)
        if any(use.env and use.env == other.env for other in uses.values()):
            reader.problem(key, f"{where}.env", f"{use.env} is the variable of another secret already")
        passed = [one for group in network.blocks for one in group.endpoints if one.tls == "pass"]
        at = hosts.place(use.host)
        if at and any(one.port == use.port and hosts.matches(one.host, at) for one in passed):
            reader.problem(key, where, f"{use.host}:{use.port} has `tls: pass`, so nothing can be put in there")
        uses[name] = use
    if node is not None and len(uses) > MAX_SECRETS:
        reader.problem(node, "secrets", f"has {len(uses)} entries; at most {MAX_SECRETS} are allowed")
    return tuple(uses[name] for name in sorted(uses))


def apis(reader: Reader, node: Node | None) -> tuple[str, ...]:
    """Read `apis`, sorted."""
    return tuple(sorted(reader.texts(node, "apis", MAX_APIS, _api_trouble)))


def _endpoint(reader: Reader, node: Node, where: str) -> Endpoint:
    found, default = reader.fields(node, where, ENDPOINT), Endpoint("")
    reader.required(found, node, where, ("host",))
    endpoint = Endpoint(
        host=_host(reader, found.get("host"), f"{where}.host", wild=True),
        port=reader.whole(found.get("port"), f"{where}.port", default.port, 1, 65535),
        access=reader.choice(found.get("access"), f"{where}.access", default.access, ACCESSES),
        tls=reader.choice(found.get("tls"), f"{where}.tls", default.tls, TLS_MODES),
        rules=_rules(reader, found.get("rules"), f"{where}.rules"),
        deny=_rules(reader, found.get("deny"), f"{where}.deny"),
        allowed_ips=reader.texts(found.get("allowed_ips"), f"{where}.allowed_ips", MAX_IPS, _network_trouble),
    )
    if "access" in found and "rules" in found:
        reader.problem(found["rules"], f"{where}.rules", "access is said too; choose one of them")
    if "rules" in found and not endpoint.rules:
        reader.problem(found["rules"], f"{where}.rules", "lets nothing through: write a rule, or leave it out")
    if endpoint.tls == "pass" and endpoint.looks:
        reader.problem(found["tls"], f"{where}.tls", "pass does not show method and path, which access or rules need")
    return endpoint


def _rules(reader: Reader, node: Node | None, where: str) -> tuple[Rule, ...]:
    rules = []
    for item, at in reader.items(node, where, MAX_RULES):
        found, default = reader.fields(item, at, RULE), Rule()
        if not found and item.pairs == ():
            reader.problem(item, at, "says nothing: write method, path or both")
        method = reader.checked(found.get("method"), f"{at}.method", default.method, _method_trouble)
        rules.append(Rule(method, reader.checked(found.get("path"), f"{at}.path", default.path, _path_trouble)))
    return tuple(rules)


def _secret(reader: Reader, node: Node, name: str, where: str) -> SecretUse:
    found, default = reader.fields(node, where, SECRET), SecretUse("", "", "", "")
    reader.required(found, node, where, ("secret", "env", "host"))
    return SecretUse(
        name=name,
        secret=reader.checked(found.get("secret"), f"{where}.secret", "", _slug_trouble),
        env=reader.checked(found.get("env"), f"{where}.env", "", _env_trouble),
        host=_host(reader, found.get("host"), f"{where}.host", wild=False),
        port=reader.whole(found.get("port"), f"{where}.port", default.port, 1, 65535),
        path=reader.checked(found.get("path"), f"{where}.path", default.path, _path_trouble),
        header=reader.checked(found.get("header"), f"{where}.header", default.header, _header_trouble).lower(),
    )


def _host(reader: Reader, node: Node | None, where: str, *, wild: bool) -> str:
    text = reader.checked(node, where, "", _wild_trouble if wild else _host_trouble)
    return (hosts.pattern(text) or "") if text else ""


def _binaries(reader: Reader, node: Node | None, where: str) -> tuple[str, ...]:
    found = reader.texts(node, where, MAX_BINARIES, _binary_trouble)
    if node is not None and node.items == ():
        reader.problem(node, where, "names none: leave it out for any program")
    return found


def _wild_trouble(host: str) -> str:
    if hosts.pattern(host) is not None:
        return ""
    if "://" in host or "/" in host:
        return "must be a host only, without scheme and path"
    if "*" in host:
        return "may have * only as its whole first label, above a name of one owner: *.example.org"
    return "is no host: write a name like api.example.org, or an address; the port is a key of its own"


def _host_trouble(host: str) -> str:
    return "must be one host, without *: a secret is for one place" if "*" in host else _wild_trouble(host)


def _network_trouble(text: str) -> str:
    network = ips.network(text)
    if network is None:
        return "is no address or network like 10.0.0.0/8"
    if what := ips.too_wide(network):
        return f"covers {what} addresses, which " + (
            "nothing opens" if what in ips.NEVER else "only an exact address opens: list the one that is meant"
        )
    return ""


def _path_trouble(glob: str) -> str:
    return paths.pattern_trouble(glob) if len(glob) <= MAX_GLOB_LETTERS else f"is over {MAX_GLOB_LETTERS} characters"


def _binary_trouble(glob: str) -> str:
    return path_trouble(glob) or paths.pattern_trouble(glob)


def _method_trouble(method: str) -> str:
    return "" if METHOD.fullmatch(method) else "is no method: write one in capitals, like GET, or * for any"


def _header_trouble(header: str) -> str:
    if not HEADER.fullmatch(header.lower()):
        return "is no name of a header"
    return "frames the request and cannot carry a secret" if header.lower() in _FRAMING else ""


def _env_trouble(env: str) -> str:
    if not ENV.fullmatch(env):
        return "is no variable: write it in capitals, like GITHUB_TOKEN"
    return "steers programs inside and is not free: choose another" if _OURS.fullmatch(env) else ""


def _slug_trouble(name: str) -> str:
    return "" if SLUG.fullmatch(name) else "is no secret's name: 1 to 63 of a-z, 0-9 and -, beginning with a letter"


def _api_trouble(name: str) -> str:
    return "" if SLUG.fullmatch(name) else "is no API's name: 1 to 63 of a-z, 0-9 and -, beginning with a letter"

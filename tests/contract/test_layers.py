"""The layers of CONTRIBUTING.md: who may import whom. Read from the source, functions included."""

from collections.abc import Iterable, Mapping

import pytest

from tests.contract.imports import PACKAGES, Import, all_imports

IMPORTS = all_imports()

LAYERS: Mapping[str, frozenset[str]] = {
    "signet.v1": frozenset(),
    "signet.work": frozenset({"signet.v1"}),
    "signet.kit": frozenset({"signet.v1"}),
    "signet.policy": frozenset(),
    "signet.catalog": frozenset({"signet.v1", "signet.kit"}),
    "signet.client": frozenset({"signet.v1", "signet.kit"}),
    "signet.cli": frozenset(
        {"signet.v1", "signet.kit", "signet.policy", "signet.catalog", "signet.client", "signet.up"}
    ),
    "signet.up": frozenset({"signet.v1", "signet.kit", "signet.policy", "signet.client", "signet.cli"}),
    "control": frozenset(
        {"signet.v1", "signet.work", "signet.kit", "signet.policy", "signet.catalog", "signet.client"}
    ),
    "router": frozenset({"signet.v1", "signet.kit", "signet.policy", "signet.client"}),
    "workers": frozenset(
        {"signet.v1", "signet.work", "signet.kit", "signet.policy", "signet.catalog", "signet.client"}
    ),
    "benchmark": frozenset({"signet.v1", "signet.work", "signet.kit", "signet.client", "signet.cli"}),
    "web": frozenset({"signet.v1", "signet.kit", "signet.client"}),
}
"""What each layer may import beside itself."""

EXCEPTIONS = {
    # the doctor asks the processes' own checks, instead of having others that drift from them
    "signet.up.doctor": (
        "router.embedded.weights",
        "router.options",
        "router.replicas.look",
        "workers.sandbox",
        "workers.attacks",
    ),
    # it writes events over the work protocol, as a worker does, and the same rows without any platform
    "benchmark.events": ("signet.work.v1.work_pb2_grpc",),
}

STORES = ("control.store", "router.store")
"""The only places that know SQL."""


def layer(module: str) -> str:
    """Give the layer of a module: its package, and of `signet` the one below."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "signet" else parts[0]


def within(module: str, places: Iterable[str]) -> bool:
    """Tell whether a module is one of these or below one."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def excepted(one: Import) -> bool:
    """Tell whether an exception allows it."""
    return any(within(one.importer, [where]) and within(one.module, what) for where, what in EXCEPTIONS.items())


def wrong(imports: Iterable[Import]) -> list[str]:
    """Give the imports that no rule allows, as editors open them."""
    return sorted(f"{one.where} imports {one.module}" for one in imports if not excepted(one))


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_layer_imports_only_those_below_it(name: str) -> None:
    foreign = [
        one
        for one in IMPORTS
        if layer(one.importer) == name
        and one.module.split(".")[0] in PACKAGES
        and layer(one.module) not in {"signet", name, *LAYERS[name]}
    ]
    assert not wrong(foreign)


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer(one.importer) for one in IMPORTS} <= {*LAYERS, "signet"}


def test_only_the_stores_know_sql() -> None:
    sql = [one for one in IMPORTS if within(one.module, ("sqlalchemy", "alembic", "aiosqlite"))]
    assert not wrong(one for one in sql if not within(one.importer, STORES))


def test_a_store_is_imported_by_its_own_process_only() -> None:
    stores = [one for one in IMPORTS if within(one.module, STORES)]
    assert not wrong(one for one in stores if layer(one.importer) != layer(one.module))


@pytest.mark.parametrize("name", ["web", "benchmark", "signet.cli", "signet.up"])
def test_state_is_reached_through_the_client(name: str) -> None:
    stubs = [one for one in IMPORTS if "_pb2_grpc" in one.module or within(one.module, ["grpc"])]
    assert not wrong(one for one in stubs if layer(one.importer) == name)


def test_only_the_benchmark_knows_ray() -> None:
    assert not wrong(one for one in IMPORTS if within(one.module, ["ray"]) and layer(one.importer) != "benchmark")


def test_policies_are_decided_with_the_standard_library_and_only_documents_know_yaml() -> None:
    import sys

    policy = [one for one in IMPORTS if within(one.importer, ["signet.policy"])]
    foreign = [one for one in policy if one.module.split(".")[0] not in {"signet", *sys.stdlib_module_names}]
    assert {(one.importer, one.module) for one in foreign} == {("signet.policy.document", "yaml")}


def test_what_runs_inside_a_sandbox_needs_the_standard_library_only() -> None:
    inside = [one for one in IMPORTS if within(one.importer, ("workers.runtimes.builtin", "workers.tools"))]
    packages = {one.module.split(".")[0] for one in inside} - {"workers"}
    import sys

    assert packages <= {*sys.stdlib_module_names}

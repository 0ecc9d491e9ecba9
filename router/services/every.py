"""Every gRPC service of the router."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from router.assembly import Assembly
from router.options import RouterOptions
from router.services.apis import ApiServer
from router.services.budgets import BudgetServer
from router.services.inference import InferenceServer
from router.services.models import Models
from router.services.providers import Providers
from router.services.routes import RouteServer
from router.services.secrets import SecretServer
from router.services.usage import Usages
from signet.kit.rpc import Service
from signet.v1 import (
    apis_pb2,
    apis_pb2_grpc,
    budgets_pb2,
    budgets_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    providers_pb2,
    providers_pb2_grpc,
    routes_pb2,
    routes_pb2_grpc,
    secrets_pb2,
    secrets_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)


def services(parts: Assembly, options: RouterOptions) -> list[Service]:
    """Make them over what is put together."""
    made: list[tuple[FileDescriptor, Callable[[Any, Any], None], object]] = [
        (apis_pb2.DESCRIPTOR, apis_pb2_grpc.add_ApiServiceServicer_to_server, ApiServer(parts.apis, parts.secrets)),
        (budgets_pb2.DESCRIPTOR, budgets_pb2_grpc.add_BudgetServiceServicer_to_server, BudgetServer(parts.meter)),
        (
            inference_pb2.DESCRIPTOR,
            inference_pb2_grpc.add_InferenceServiceServicer_to_server,
            InferenceServer(parts.authoriser, parts.broker, options.idle_seconds),
        ),
        (models_pb2.DESCRIPTOR, models_pb2_grpc.add_ModelServiceServicer_to_server, Models(parts.fleet)),
        (
            providers_pb2.DESCRIPTOR,
            providers_pb2_grpc.add_ProviderServiceServicer_to_server,
            Providers(parts.fleet, parts.wire),
        ),
        (
            routes_pb2.DESCRIPTOR,
            routes_pb2_grpc.add_RouteServiceServicer_to_server,
            RouteServer(parts.fleet, parts.selection),
        ),
        (secrets_pb2.DESCRIPTOR, secrets_pb2_grpc.add_SecretServiceServicer_to_server, SecretServer(parts.secrets)),
        (usage_pb2.DESCRIPTOR, usage_pb2_grpc.add_UsageServiceServicer_to_server, Usages(parts.ledger)),
    ]
    return [Service(_only(file), add, servicer) for file, add, servicer in made]


def _only(file: FileDescriptor) -> ServiceDescriptor:
    """Give the service of a file that has one."""
    [descriptor] = file.services_by_name.values()
    return descriptor

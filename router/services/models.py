"""ModelService: the models that the router can reach."""

from typing import Any

from router.fleet import Fleet
from router.model import Model
from signet.kit.errors import invalid
from signet.kit.paging import Page
from signet.v1 import models_pb2 as pb
from signet.v1.models_pb2_grpc import ModelServiceServicer


class Models(ModelServiceServicer):
    """Answers from what the fleet knows now."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        """Return models by name, a page at a time."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        names = [name for name in self._fleet.names() if name > after]
        token = page.token(names[page.size - 1]) if len(names) > page.size else ""
        default = self._fleet.default()
        models = [wire(self._fleet.model(name), default) for name in names[: page.size]]
        return pb.ListModelsResponse(models=models, next_page_token=token)

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        """Resolve a model, also `models/default`."""
        return pb.GetModelResponse(model=wire(self._fleet.model(_named(request.name)), self._fleet.default()))

    async def SetDefaultModel(self, request: pb.SetDefaultModelRequest, context: Any) -> pb.SetDefaultModelResponse:
        """Choose what `models/default` stands for."""
        name = _named(request.name)
        if name == "default":
            raise invalid(("name", "models/default cannot stand for itself: name another model"))
        model = await self._fleet.choose_default(name)
        return pb.SetDefaultModelResponse(model=wire(model, self._fleet.default()))


def wire(model: Model, default: str) -> pb.Model:
    """Put a model on the wire."""
    profile = pb.ModelProfile(
        context_tokens=model.profile.context_tokens,
        tool_choice=f"TOOL_CHOICE_{model.profile.tool_choice}",
        demonstration=model.profile.demonstration,
        chat=model.profile.chat,
        embeddings=bool(model.profile.embeddings),
        tools=model.profile.tools,
        images=model.profile.images,
        json_schema=model.profile.json_schema,
        reasoning=model.profile.reasoning,
        model_tokens=model.profile.model_tokens,
        output_tokens=model.profile.output_tokens,
    )
    return pb.Model(
        name=f"models/{model.name}",
        provider=f"providers/{model.provider}" if model.provider else "",
        upstream_model=model.upstream,
        profile=profile,
        digest=model.digest,
        state=f"MODEL_STATE_{model.health.state.name}",
        state_detail=model.health.detail,
        is_default=model.name == default,
        input_price_microusd_per_million=model.price.input_microusd_per_million,
        output_price_microusd_per_million=model.price.output_microusd_per_million,
    )


def _named(name: str) -> str:
    if not name.startswith("models/") or name == "models/":
        forms = "`models/{provider}/{model}`, `models/{route}` or `models/default`"
        raise invalid(("name", f"must be {forms}, not {name!r}"))
    return name.removeprefix("models/")

"""The providers and routes that there are now, and the models that can be named through them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from router.model import Model, Spec
from router.providers import PROVIDERS
from router.providers.contract import Parts, Provider
from router.route import DEFAULT, Offer, alias, pick_default
from router.route import route as choose
from router.routes.lane import Lane
from router.routes.lanes import Lanes
from router.routes.lineup import Lineup, Stop
from router.routes.route import Route, Target
from router.routes.routed import routed
from router.routes.table import Table
from router.store.providers import ProviderStore, Stored
from router.store.routes import RouteStore
from router.vault import Vault, VaultError
from signet.kit.errors import AlreadyExists, FailedPrecondition, NotFound, invalid, near

_LINEUPS = 8_192


class Fleet:
    """Providers by id. Those of the user are stored; the built-in one and the environment's are given at start."""

    def __init__(
        self, store: ProviderStore, routes: RouteStore, vault: Vault, parts: Parts, environment_model: str
    ) -> None:
        self._store = store
        self._vault = vault
        self._parts = parts
        self._environment_model = environment_model
        self._chosen = ""
        self._providers: dict[str, Provider] = {}
        self._changing = asyncio.Lock()
        self._lanes = Lanes(parts.options.concurrency)
        self._lineups: dict[str, Lineup] = {}
        self.routes = Table(routes, self._lineups.clear)

    async def start(self, given: Iterable[Spec]) -> None:
        """Make and start every provider; of two with one id, the given one wins over the stored one."""
        specs = {spec.id: spec for spec in given}
        for stored in await self._store.all():
            if stored.spec.id in specs:
                self._parts.log.warning("provider_hidden", provider=stored.spec.id)
            else:
                specs[stored.spec.id] = self._opened(stored)
        self._chosen = await self._store.default_model()
        for spec in specs.values():
            await self._begin(spec)
        await self.routes.reload()

    async def aclose(self) -> None:
        """End every provider."""
        for provider in self._providers.values():
            await provider.aclose()

    def providers(self) -> list[Provider]:
        """Give every provider, by id."""
        return [provider for _, provider in sorted(self._providers.items())]

    def provider(self, ident: str) -> Provider:
        """Give one. Raises NotFound."""
        if ident not in self._providers:
            suggestion = near(ident, self._providers)
            message = f"there is no provider {ident!r}.{suggestion}"
            raise NotFound("PROVIDER_NOT_FOUND", message, hint="signet provider list")
        return self._providers[ident]

    def models(self) -> list[Model]:
        """Give every model of every provider, by name."""
        found = [provider.model(name) for provider in self._providers.values() for name in provider.offer().models]
        return sorted(found, key=lambda model: model.name)

    def names(self) -> list[str]:
        """Give every name that can be asked, in order: models by their provider's name for them, and routes."""
        offered = [f"{offer.provider}/{name}" for offer in self._offers() for name in offer.models]
        return sorted([*offered, *self.routes.names()])

    def name(self, asked: str) -> str:
        """Give the public name behind what was asked for, which may be `default`. Raises NotFound."""
        name = asked.removeprefix("models/")
        return alias(name, self.default()) if name == DEFAULT else name

    def lineup(self, name: str) -> Lineup:
        """Give what stands behind a public name. Raises NotFound."""
        found = self._lineups.get(name)
        if found is not None and (not found.plain or self._stands(found)):
            return found
        if self._lanes.thin() or len(self._lineups) >= _LINEUPS:
            self._lineups.clear()
        found = self._lineups[name] = self._lineup(name)
        return found

    def model(self, asked: str) -> Model:
        """Describe the model behind a name. Raises NotFound."""
        lineup = self.lineup(self.name(asked))
        lane = lineup.stops[0].lane
        return lane.model if lineup.plain and lane is not None else routed(lineup)

    def default(self) -> str:
        """Say what `default` stands for; empty for nothing."""
        return pick_default(self._chosen, self._environment_model, self._offers())

    async def choose_default(self, asked: str) -> Model:
        """Keep a default. Raises NotFound, and InvalidArgument for a model that does not chat."""
        model = self.model(asked)
        if not model.profile.chat:
            raise invalid(("name", f"models/{model.name} does not answer chat requests"))
        await self._store.choose_default_model(model.name)
        self._chosen = model.name
        return model

    async def add(self, spec: Spec, key: str) -> Provider:
        """Store a provider, its key sealed, and start it. Raises AlreadyExists."""
        async with self._changing:
            if spec.id in self._providers:
                raise AlreadyExists("NAME_TAKEN", f"there is a provider {spec.id} already", hint="signet provider list")
            if self.routes.find(spec.id) is not None:
                raise AlreadyExists("NAME_TAKEN", f"there is a route {spec.id} already", hint="signet route list")
            await self._store.add(Stored(spec, self._vault.seal(spec, key) if key else None))
            return await self._begin(replace(spec, key=key))

    async def put_route(self, route: Route) -> None:
        """Keep a route. Raises AlreadyExists for a provider's name, NotFound for a provider that is not there."""
        async with self._changing:
            if route.name in self._providers:
                raise AlreadyExists("NAME_TAKEN", f"there is a provider {route.name}", hint="signet provider list")
            for target in route.targets:
                self.provider(target.provider)
            await self.routes.put(route)

    async def rekey(self, ident: str, key: str) -> Provider:
        """Keep another key for a provider, or none, and start it anew with that; calls that run go on with the old one.

        Raises NotFound, and FailedPrecondition for one that the user did not add.
        """
        async with self._changing:
            provider = self._users(ident, "be given a key: its environment does")
            spec = replace(provider.spec, key="", trouble="")
            await self._store.rekey(ident, self._vault.seal(spec, key) if key else None)
            await provider.aclose()
            return await self._begin(replace(spec, key=key))

    async def remove(self, ident: str) -> None:
        """Forget a provider. Raises NotFound, and FailedPrecondition for one that the user did not add."""
        async with self._changing:
            provider = self._users(ident, "be deleted")
            await self._store.remove(ident)
            del self._providers[ident]
            self._changed(ident)
            await provider.aclose()

    async def reload(self) -> None:
        """Take up providers and the default as they are stored, which another router may have changed.

        Calls that run go on as they began. Raises SignetError.
        """
        async with self._changing:
            found = {stored.spec.id: stored for stored in await self._store.all()}
            self._chosen = await self._store.default_model()
            for ident, provider in list(self._providers.items()):
                if provider.spec.origin == "user" and ident not in found:
                    del self._providers[ident]
                    self._changed(ident)
                    await provider.aclose()
            for ident, stored in found.items():
                await self._take_up(ident, self._opened(stored))

    async def _take_up(self, ident: str, spec: Spec) -> None:
        """Begin a stored provider, if it is new or was changed; one that is given stays."""
        known = self._providers.get(ident)
        if known is not None and (known.spec.origin != "user" or known.spec == spec):
            return
        if known is not None:
            await known.aclose()
        await self._begin(spec)

    def _users(self, ident: str, what: str) -> Provider:
        """Give a provider that the user added. Raises NotFound, FailedPrecondition."""
        provider = self.provider(ident)
        if provider.spec.origin != "user":
            built_in = provider.spec.origin == "built-in"
            hint = "set router.embedded to off" if built_in else "unset OPENAI_BASE_URL"
            raise FailedPrecondition(
                "BUILT_IN", f"provider {ident} is {provider.spec.origin} and cannot {what}", hint=hint
            )
        return provider

    def _lineup(self, name: str) -> Lineup:
        route = self.routes.find(name)
        if route is None:
            choice = choose(name, self._offers(), self.routes.names())
            route = Route(name, (Target(choice.provider, choice.upstream),))
        return Lineup(name, route, tuple(Stop(target, self._lane(target)) for target in route.targets))

    def _lane(self, target: Target) -> Lane | None:
        provider = self._providers.get(target.provider)
        return None if provider is None else self._lanes.get(provider, target.upstream)

    def _stands(self, lineup: Lineup) -> bool:
        """Whether a plain name still is one: its provider may have found out what it really has."""
        lane = lineup.stops[0].lane
        return lane is not None and lane.offered()

    def _changed(self, ident: str) -> None:
        """Resolve all names anew, and know nothing any more of how a provider was."""
        self._lanes.forget(ident)
        self._lineups.clear()

    def _offers(self) -> list[Offer]:
        return [provider.offer() for provider in self._providers.values()]

    def _opened(self, stored: Stored) -> Spec:
        if stored.sealed_key is None:
            return stored.spec
        try:
            return replace(stored.spec, key=self._vault.open(stored.spec, stored.sealed_key))
        except VaultError as error:
            self._parts.log.warning("key_not_opened", provider=stored.spec.id)
            return replace(stored.spec, trouble=str(error))

    async def _begin(self, spec: Spec) -> Provider:
        provider = PROVIDERS[spec.kind](spec, self._parts)
        self._providers[spec.id] = provider
        self._changed(spec.id)
        await provider.start()
        return provider

"""The client for scripts. Every method is the asynchronous one of the same name, run to its end."""

from types import TracebackType
from typing import Self

from signet.client.agents import AsyncAgents
from signet.client.apis import AsyncApis
from signet.client.approvals import AsyncApprovals, AsyncGrants
from signet.client.asynchronous import AsyncSignet
from signet.client.budgets import AsyncBudgets
from signet.client.fleet import Fleet
from signet.client.inference import AsyncInference
from signet.client.models import AsyncModels
from signet.client.policies import AsyncPolicies
from signet.client.portal import Facade, Portal, blocking, iterating, paging
from signet.client.providers import AsyncProviders
from signet.client.routes import AsyncRoutes
from signet.client.runs import AsyncRuns
from signet.client.sandboxes import AsyncSandboxes
from signet.client.secrets import AsyncSecrets
from signet.client.sessions import AsyncSessions
from signet.client.souls import AsyncSouls
from signet.client.tokens import AsyncTokens
from signet.client.usage import AsyncUsage
from signet.client.workers import AsyncWorkers


class Agents(Facade[AsyncAgents]):
    """The agents of a fleet. Names may be short (`assistant`) or full (`agents/assistant`)."""

    create = blocking(AsyncAgents.create)
    get = blocking(AsyncAgents.get)
    list = paging(AsyncAgents.list)
    update = blocking(AsyncAgents.update)
    delete = blocking(AsyncAgents.delete)
    undelete = blocking(AsyncAgents.undelete)


class Souls(Facade[AsyncSouls]):
    """The souls that agents may have."""

    get = blocking(AsyncSouls.get)
    list = paging(AsyncSouls.list)


class Sessions(Facade[AsyncSessions]):
    """The conversations of a fleet."""

    create = blocking(AsyncSessions.create)
    get = blocking(AsyncSessions.get)
    list = paging(AsyncSessions.list)
    rename = blocking(AsyncSessions.rename)
    delete = blocking(AsyncSessions.delete)


class Runs(Facade[AsyncRuns]):
    """The runs of a fleet."""

    create = blocking(AsyncRuns.create)
    get = blocking(AsyncRuns.get)
    list = paging(AsyncRuns.list)
    cancel = blocking(AsyncRuns.cancel)
    watch = iterating(AsyncRuns.watch)
    wait = blocking(AsyncRuns.wait)
    record = blocking(AsyncRuns.record)
    blob = blocking(AsyncRuns.blob)


class Models(Facade[AsyncModels]):
    """The models of a fleet."""

    get = blocking(AsyncModels.get)
    list = paging(AsyncModels.list)
    use = blocking(AsyncModels.use)


class Inference(Facade[AsyncInference]):
    """The models of a fleet, asked directly."""

    complete = blocking(AsyncInference.complete)
    stream = iterating(AsyncInference.stream)
    count = blocking(AsyncInference.count)
    embed = blocking(AsyncInference.embed)


class Providers(Facade[AsyncProviders]):
    """The endpoints that the router asks."""

    create = blocking(AsyncProviders.create)
    get = blocking(AsyncProviders.get)
    list = paging(AsyncProviders.list)
    check = blocking(AsyncProviders.check)
    scan = blocking(AsyncProviders.scan)
    set_key = blocking(AsyncProviders.set_key)
    delete = blocking(AsyncProviders.delete)


class Workers(Facade[AsyncWorkers]):
    """The hosts of a fleet."""

    get = blocking(AsyncWorkers.get)
    list = paging(AsyncWorkers.list)
    drain = blocking(AsyncWorkers.drain)
    undrain = blocking(AsyncWorkers.undrain)


class Usage(Facade[AsyncUsage]):
    """The ledger of a fleet."""

    list = paging(AsyncUsage.list)
    calls = paging(AsyncUsage.calls)


class Tokens(Facade[AsyncTokens]):
    """The tokens of a fleet."""

    create = blocking(AsyncTokens.create)
    list = paging(AsyncTokens.list)
    revoke = blocking(AsyncTokens.revoke)
    check = blocking(AsyncTokens.check)
    create_sign_in_code = blocking(AsyncTokens.create_sign_in_code)
    exchange_sign_in_code = blocking(AsyncTokens.exchange_sign_in_code)


class Policies(Facade[AsyncPolicies]):
    """The policies of a fleet."""

    apply = blocking(AsyncPolicies.apply)
    get = blocking(AsyncPolicies.get)
    list = paging(AsyncPolicies.list)
    delete = blocking(AsyncPolicies.delete)
    versions = paging(AsyncPolicies.versions)
    version = blocking(AsyncPolicies.version)
    effective = blocking(AsyncPolicies.effective)
    undo = blocking(AsyncPolicies.undo)


class Approvals(Facade[AsyncApprovals]):
    """The questions of a fleet's agents."""

    list = paging(AsyncApprovals.list)
    get = blocking(AsyncApprovals.get)
    approve = blocking(AsyncApprovals.approve)
    deny = blocking(AsyncApprovals.deny)
    watch = iterating(AsyncApprovals.watch)


class Grants(Facade[AsyncGrants]):
    """What was let through beyond the policies."""

    list = paging(AsyncGrants.list)
    revoke = blocking(AsyncGrants.revoke)


class Sandboxes(Facade[AsyncSandboxes]):
    """The sandboxes of a fleet; a command with streams of its own needs the asynchronous client."""

    get = blocking(AsyncSandboxes.get)
    list = paging(AsyncSandboxes.list)
    stop = blocking(AsyncSandboxes.stop)
    logs = iterating(AsyncSandboxes.logs)
    run = blocking(AsyncSandboxes.run)
    pack = iterating(AsyncSandboxes.pack)
    unpack = blocking(AsyncSandboxes.unpack)


class Secrets(Facade[AsyncSecrets]):
    """The secrets of a fleet."""

    put = blocking(AsyncSecrets.put)
    list = paging(AsyncSecrets.list)
    delete = blocking(AsyncSecrets.delete)
    vault = blocking(AsyncSecrets.vault)
    rotate = blocking(AsyncSecrets.rotate)


class Budgets(Facade[AsyncBudgets]):
    """The budgets of a fleet, and its stop switch."""

    put = blocking(AsyncBudgets.put)
    get = blocking(AsyncBudgets.get)
    list = paging(AsyncBudgets.list)
    delete = blocking(AsyncBudgets.delete)
    freeze = blocking(AsyncBudgets.freeze)
    unfreeze = blocking(AsyncBudgets.unfreeze)
    frozen = blocking(AsyncBudgets.frozen)


class Routes(Facade[AsyncRoutes]):
    """The routes of a fleet: public model names, each with targets in order."""

    put = blocking(AsyncRoutes.put)
    get = blocking(AsyncRoutes.get)
    list = paging(AsyncRoutes.list)
    delete = blocking(AsyncRoutes.delete)
    explain = blocking(AsyncRoutes.explain)


class Apis(Facade[AsyncApis]):
    """The APIs of a fleet."""

    put = blocking(AsyncApis.put)
    get = blocking(AsyncApis.get)
    list = paging(AsyncApis.list)
    delete = blocking(AsyncApis.delete)
    call = blocking(AsyncApis.call)


class Signet(Facade[AsyncSignet]):
    """A fleet, as one caller sees it; takes what AsyncSignet takes, and its calls block.

    An event loop in a thread of its own does the work, started by the first call. Ctrl-C in a call cancels that call,
    and in `run` the run.
    """

    def __init__(
        self,
        *,
        data: str | None = None,
        control: str | None = None,
        router: str | None = None,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        patience_seconds: float = 30.0,
    ) -> None:
        signet = AsyncSignet(
            data=data,
            control=control,
            router=router,
            token=token,
            timeout_seconds=timeout_seconds,
            patience_seconds=patience_seconds,
        )
        portal = Portal()
        super().__init__(signet, portal)
        self.agents = Agents(signet.agents, portal)
        self.souls = Souls(signet.souls, portal)
        self.sessions = Sessions(signet.sessions, portal)
        self.runs = Runs(signet.runs, portal)
        self.models = Models(signet.models, portal)
        self.inference = Inference(signet.inference, portal)
        self.providers = Providers(signet.providers, portal)
        self.workers = Workers(signet.workers, portal)
        self.usage = Usage(signet.usage, portal)
        self.tokens = Tokens(signet.tokens, portal)
        self.policies = Policies(signet.policies, portal)
        self.approvals = Approvals(signet.approvals, portal)
        self.grants = Grants(signet.grants, portal)
        self.sandboxes = Sandboxes(signet.sandboxes, portal)
        self.secrets = Secrets(signet.secrets, portal)
        self.budgets = Budgets(signet.budgets, portal)
        self.apis = Apis(signet.apis, portal)
        self.routes = Routes(signet.routes, portal)

    @property
    def fleet(self) -> Fleet:
        """Where the fleet is, and whose token is used."""
        return self._noun.fleet

    run = iterating(AsyncSignet.run)

    def close(self) -> None:
        """Close the channels and end the thread."""
        self._portal.call(self._noun.close())
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

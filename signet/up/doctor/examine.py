"""The examination: every check, in the order in which a reader wants to know."""

from signet.kit.home import Home
from signet.up.doctor import data, host
from signet.up.doctor.database import database
from signet.up.doctor.finding import Finding
from signet.up.doctor.isolation import isolation
from signet.up.doctor.models import models


def examine(home: Home) -> list[Finding]:
    """Look at everything. Takes about a second; changes nothing but the rights of the data folder."""
    machine = [host.python(), host.kernel(), *isolation(), host.cgroups(), host.space(home), host.chromium()]
    place = [data.folder(home), *data.options(home), database(home), data.sockets(home), *data.ports(home)]
    return [*machine, *place, *models(home), *data.fleet(home)]

"""The services of a device folder: verbs `start`, `stop` and `state`."""

from __future__ import annotations

from edgekit.core.deployment import ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.progress import OnProgress
from edgekit.errors import DeployError
from edgekit.runtime.health import health_age_s, read_health
from edgekit.runtime.journal import read_journal
from edgekit.runtime.runner import Runner, runner_for
from edgekit.runtime.space import free_mib
from edgekit.runtime.store import Store


def state(request: StateRequest, on_progress: OnProgress) -> StateAnswer:
    """Engines and services of a device folder."""
    return state_of(Store(request.root))


def state_of(store: Store) -> StateAnswer:
    """Engines and services, and what of them cannot be read."""
    runner = runner_for(store)
    engines, damaged = store.list_engines()
    services = []
    for name in store.list_services():
        try:
            services.append(service_state(store, runner, name))
        except DeployError as error:
            damaged.append(f"service {name}: {error.what}")
    return StateAnswer(tuple(engines), tuple(services), tuple(damaged), free_mib(store.root))


def start(request: ServiceRequest, on_progress: OnProgress) -> ServiceState:
    """Start a service, unless it runs. Raises DeployError where no release is current."""
    store = Store(request.root)
    if not store.current_release_id(request.service):
        raise DeployError(f"no release of {request.service} is on this device", hint="edgekit deploy")
    runner = runner_for(store)
    runner.start(request.service)
    if not read_journal(store, request.service).settled:
        runner.watch(request.service)
    return service_state(store, runner, request.service)


def stop(request: ServiceRequest, on_progress: OnProgress) -> ServiceState:
    """Stop a service; does nothing where none runs. A release on probation is gone back from, without being bad."""
    store = Store(request.root)
    runner = runner_for(store)
    runner.stop(request.service)
    return service_state(store, runner, request.service)


def service_state(store: Store, runner: Runner, service: str) -> ServiceState:
    """One service as the device sees it."""
    folder, run = store.state_dir(service), runner.status(service)
    release_id = store.current_release_id(service)
    return ServiceState(
        service=service,
        release_id=release_id,
        running=run.running,
        failed=run.failed,
        pid=run.pid,
        restarts=run.restarts,
        journal=read_journal(store, service),
        health=read_health(folder),
        updated_s=health_age_s(folder),
        release=store.read_release(release_id) if release_id else None,
    )

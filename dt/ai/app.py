"""The ai service: rules over the readings, and the models that they come from."""

from __future__ import annotations

import sys

from flask import Flask, Response
from prometheus_client import Counter, Gauge

from dt.ai.models.base_model import ModelError, ModelNotFoundError
from dt.ai.models.rule_based.dry_soil import DrySoilModel
from dt.ai.plants import PlantBook
from dt.ai.registry import ModelRegistry
from dt.ai.soil_rule import SoilRule
from dt.ai.storage import FileModelStorage
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition
from dt.utils.exceptions import ConflictError, MessageError
from dt.utils.http import Problem, create_api, json_response, request_object
from dt.utils.http_server import HttpServer, server_for
from dt.utils.logger import get_logger
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

GROUP = "ai"
PLANTS_GROUP = "ai_plants"

log = get_logger("dt.ai")


class AiService(Service):
    """Turns soil readings into conditions, and serves the model registry."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("ai", clock)
        self._settings = settings
        self._messaging = messaging
        self._plants = PlantBook(messaging)
        self._model = DrySoilModel()
        self._model_problem: str | None = None
        self._conditions = Counter("dt_ai_conditions", "conditions reported", ["active"], registry=self.metrics)
        self._rule = SoilRule(lambda: self._model, self._plants, clock, self._count)
        self._subscriptions: list[Subscription] = []
        self._server: HttpServer | None = None
        Gauge("dt_ai_dry_plants", "plants whose soil is dry", registry=self.metrics).set_function(
            lambda: len(self._rule.active)
        )

    @property
    def port(self) -> int:
        """Return the port that REST answers on."""
        return self._server.port if self._server else 0

    def on_start(self) -> None:
        """Load the model, serve REST, and follow plants and readings."""
        token = ensure_token(self._settings)
        registry = ModelRegistry(FileModelStorage(self._settings.models_path), token, self.clock)
        self.use_promoted(registry)
        api = _api(self, self._settings, registry, token)
        self._server = server_for(api, self._settings, self._settings.flask_ai_url, threads=4)
        self._server.start()
        self.closing("web server", self._server.stop)
        self._follow()
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Wait for partitions; say so when the registered model is not the one in use."""
        if not all(subscription.is_running for subscription in self._subscriptions) or not self._subscriptions:
            return "the readings are not followed"
        if not all(subscription.is_assigned for subscription in self._subscriptions):
            return "waiting for the log"
        if not self._messaging.health()["connected"]:
            return "the log is away"
        return self._model_problem

    def health(self) -> dict[str, object]:
        """Return what is watched, what is dry, and the model in use."""
        return {
            "model": f"{self._model.name} {self._model.version}",
            "plants": len(self._plants),
            "dry": self._rule.active,
            "lag": sum(subscription.last_lag for subscription in self._subscriptions),
            "messaging": self._messaging.health(),
        }

    def use_promoted(self, registry: ModelRegistry) -> None:
        """Use the promoted version; what cannot be trusted is replaced by the built-in rule, and said aloud."""
        try:
            _register_built_in(registry)
            model = registry.get(DrySoilModel.name)
            if not isinstance(model, DrySoilModel):
                raise ModelError(f"{model.name}: is no rule for dry soil")
            self._model, self._model_problem = model, None
        except ModelError as error:
            log.warning("the built-in rule is used: %s", error)
            self._model, self._model_problem = DrySoilModel(), str(error)
        log.info("model in use: %s %s", self._model.name, self._model.version)

    def _follow(self) -> None:
        instance = self._settings.instance  # each instance needs every plant, so each is a group of its own
        plants = self._messaging.subscribe([Topics.REGISTRY], f"{PLANTS_GROUP}_{instance}", self._plants.take)
        self.closing("plants", plants.stop)
        readings = self._messaging.transform(
            [Topics.SOIL_MOISTURE.processed], GROUP, self._rule, state_topic=Topics.STATE_AI
        )
        self.closing("readings", readings.stop)
        self._subscriptions = [plants, readings]

    def _count(self, condition: AlertCondition) -> None:
        self._conditions.labels(str(condition.active).lower()).inc()
        log.info("%s", condition.description, correlation_id=condition.correlation_id)


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> AiService:
    """Assemble the service; it opens nothing before `start`."""
    return AiService(settings, messaging, clock)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process("ai", create_service)


def _register_built_in(registry: ModelRegistry) -> None:
    try:
        registry.register(DrySoilModel())
    except ConflictError as error:  # a person chose other numbers under the built-in version: theirs stand
        log.info("%s", error)


def _api(service: AiService, settings: Settings, registry: ModelRegistry, token: str) -> Flask:
    app = create_api(service, settings, token, __name__)

    @app.get("/models")
    def _models() -> Response:
        promoted = registry.promoted()
        items = [
            {**metadata.to_dict(), "promoted": promoted.get(metadata.name) == metadata.version}
            for metadata in registry.list()
        ]
        return json_response({"items": items})

    @app.post("/models/<name>/promote")
    def _promote(name: str) -> Response:
        version = request_object().get("version")
        if not isinstance(version, str):
            raise MessageError("version", "must be a text such as '2'" if version is not None else "is missing")
        try:
            metadata = registry.promote(name, version)
        except ModelNotFoundError as error:
            raise Problem(404, "No such model", str(error)) from error
        service.use_promoted(registry)
        return json_response({**metadata.to_dict(), "promoted": True})

    return app


if __name__ == "__main__":
    sys.exit(main())

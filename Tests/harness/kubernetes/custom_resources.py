"""What KEDA 2 and Prometheus' operator take of the objects that the manifests have of theirs.

Written by hand from the projects' documentation, since no package brings their definitions in a usable form: only the
fields that are used here are known, so that a misspelt one is found; a new one must be added with its type.
"""

NAME = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"}
COUNT = {"type": "integer", "minimum": 0}
DURATION = {"type": "string", "pattern": r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2}
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}


def thing(required: str = "", **properties) -> dict:
    return {
        "type": "object", "properties": properties, "required": required.split(), "additionalProperties": False,
    }


def items(of: dict) -> dict:
    return {"type": "array", "items": of, "minItems": 1}


METADATA = thing("name namespace", name=NAME, namespace=NAME, labels=STRINGS, annotations=STRINGS)


def resource(spec: dict) -> dict:
    return thing("apiVersion kind metadata spec",
                 apiVersion={"type": "string"}, kind={"type": "string"}, metadata=METADATA, spec=spec)


SCALING_RULES = thing(
    stabilizationWindowSeconds=COUNT | {"maximum": 3600},
    policies=items(thing("type value periodSeconds", type={"enum": ["Pods", "Percent"]},
                         value=COUNT | {"minimum": 1}, periodSeconds=COUNT | {"minimum": 1, "maximum": 1800})),
)

# All values of a trigger's metadata are strings, numbers and truth values included.
RABBITMQ = thing(
    "protocol queueName mode value",
    protocol={"enum": ["auto", "http", "amqp"]}, queueName={"type": "string"},
    mode={"enum": ["QueueLength", "MessageRate"]}, value={"type": "string", "pattern": "^[0-9.]+$"},
    excludeUnacknowledged={"enum": ["true", "false"]}, timeout={"type": "string", "pattern": "^[0-9]+$"},
)
POSTGRESQL = thing(
    "query targetQueryValue",
    query={"type": "string"}, targetQueryValue={"type": "string", "pattern": "^[0-9.]+$"},
)


def trigger(kind: str, metadata: dict) -> dict:
    return thing("type metadata authenticationRef", type={"const": kind}, name=NAME, metadata=metadata,
                 authenticationRef=thing("name", name=NAME))


SCALED_OBJECT = resource(thing(
    "scaleTargetRef triggers",
    scaleTargetRef=thing("name", name=NAME),
    pollingInterval=COUNT, cooldownPeriod=COUNT, minReplicaCount=COUNT, maxReplicaCount=COUNT,
    fallback=thing("failureThreshold replicas", failureThreshold=COUNT, replicas=COUNT),
    advanced=thing(horizontalPodAutoscalerConfig=thing(behavior=thing(scaleUp=SCALING_RULES, scaleDown=SCALING_RULES))),
    triggers=items({"oneOf": [trigger("rabbitmq", RABBITMQ), trigger("postgresql", POSTGRESQL)]}),
))

TRIGGER_AUTHENTICATION = resource(thing(
    "secretTargetRef",
    secretTargetRef=items(thing("parameter name key",
                                parameter={"enum": ["host", "connection"]}, name=NAME, key={"type": "string"})),
))

POD_MONITOR = resource(thing(
    "selector podMetricsEndpoints",
    selector=thing("matchLabels", matchLabels=STRINGS),
    podMetricsEndpoints=items(thing("port path", port={"type": "string"}, path={"type": "string", "pattern": "^/"},
                                    interval=DURATION, scrapeTimeout=DURATION)),
    sampleLimit=COUNT,
))

PROMETHEUS_RULE = resource(thing("groups", groups=items(thing(
    "name rules",
    name={"type": "string"},
    rules=items({"type": "object", "properties": {
        "alert": {"type": "string"}, "expr": {"type": "string"}, "for": DURATION, "labels": STRINGS,
        "annotations": STRINGS,
    }, "required": ["alert", "expr", "labels", "annotations"], "additionalProperties": False}),
))))

SCHEMAS = {
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): TRIGGER_AUTHENTICATION,
    ("monitoring.coreos.com/v1", "PodMonitor"): POD_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PROMETHEUS_RULE,
}

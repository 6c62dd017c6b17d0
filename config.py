"""Settings: the only reader of the environment and of `.env`. Frozen, checked at start."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import ssl
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain import DEFAULT_TASK, ExposrError, Unacceptable

log = logging.getLogger(__name__)

VERSION = "0.1.0"
NOT_NAMES = ("admin", "api", "local")
"""What the log calls those who have no key of their own name."""
UNREADABLE = frozenset({"Cc", "Cs", "Cn", "Co", "Zl", "Zp"})
"""Kinds of characters that control text, break its lines or stand for nothing."""
TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Kinds of characters that turn text around."""
LEAST_SHARE = 1e-6
"""The smallest share that may be asked for: below it sums of probabilities say nothing."""
HIDDEN = "(hidden)"
"""In an error, in the place of a value that may be a secret or hold one."""


class Encoder(StrEnum):
    """Which embedder answers."""

    AUTO = "auto"
    CLIP = "clip"
    BUILTIN = "builtin"
    ENSEMBLE = "clip+builtin"


class ClassifierType(StrEnum):
    """Which families the grid search tries; `auto` tries all of them within the time budget."""

    AUTO = "auto"
    LOGISTIC_REGRESSION = "logistic_regression"
    SVM = "svm"
    RANDOM_FOREST = "random_forest"


class PromiseFor(StrEnum):
    """Pictures of which sources a label's score has to keep its share of mistakes on."""

    KNOWN = "known"
    UNSEEN = "unseen"


class Shortcuts(StrEnum):
    """What training does when facts that are not content tell the labels apart."""

    WARN = "warn"
    REFUSE = "refuse"
    EQUALISE = "equalise"


class Augment(StrEnum):
    """Whether heads are trained to answer alike when a picture is delivered anew."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


def _readable(value: str) -> str:
    if any(
        unicodedata.category(character) in UNREADABLE
        or unicodedata.bidirectional(character) in TURNING
        for character in value
    ):
        raise ValueError("allowed: text without characters that control or turn it")
    return value


def _page_url(value: str) -> str:
    """A page's address. A bad one is never said: it may hold a token."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or "@" in parts.netloc or any(c.isspace() for c in value):
        raise ValueError("allowed: http:// or https://, a host, no user name or password")
    return value


Words = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_readable)
]
PageUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(_readable),
    AfterValidator(_page_url),
]


class Collect(BaseModel):
    """One source that the nightly run collects from; as `python -m scraper SOURCE` takes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal[
        "civitai", "lexica", "commons-ai", "commons", "openverse", "unsplash", "pexels", "page"
    ]
    count: int = Field(100, ge=1, le=100_000)
    query: Words = ""
    url: PageUrl = ""
    label: Annotated[Words, Field(max_length=64)] = ""
    license: Words = ""
    task: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = DEFAULT_TASK

    @model_validator(mode="after")
    def _page_says_what_it_is(self) -> Self:
        if self.source == "page" and not (self.url and self.label and self.license):
            raise ValueError("allowed: the source page with url, label and license")
        if self.source == "page" and self.query:
            raise ValueError("allowed: no query with the source page")
        if self.source != "page" and (self.url or self.license):
            raise ValueError("allowed: url and license with the source page alone")
        return self


class ConfigError(ExposrError):
    """Settings that cannot be used; one line a key."""

    code = "config"


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _utc_clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("allowed: HH:MM from 00:00 to 23:59, UTC")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s*]+", value):
        raise ValueError("allowed: origins such as https://news.example, no path, no *")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("allowed: networks such as 192.0.2.0/24") from None


def _split_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    return tuple((name.strip(), secret.strip()) for name, _, secret in pairs)


def _check_keys(keys: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Names and keys that will do. A bad one is never said: it may be a key in a wrong place."""
    for name, secret in keys:
        if (
            not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)
            or name.lower() in NOT_NAMES
            or not secret
        ):
            raise ValueError(
                "allowed: NAME=KEY,NAME=KEY; a name is 1 to 64 letters, digits, - _ . and not "
                f"{', '.join(NOT_NAMES)}"
            )
    if len({name.lower() for name, _ in keys}) < len(keys):
        raise ValueError("allowed: each name once, in whichever case")
    if len({secret for _, secret in keys}) < len(keys):
        raise ValueError("allowed: a key of its own for each name")
    return keys


def _database_url(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("allowed: sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME")
    return value


def _webhook_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^/?#@\s]+([/?#][!-~]*)?", value, re.IGNORECASE):
        raise ValueError("allowed: http:// or https://, a host, no user name or password")
    return value


def _certificates(value: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except OSError:
        raise ValueError("allowed: a file of certificates in PEM") from None
    return value


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("allowed: JSON; docs/settings.md has an example") from None


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split_commas)
]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split_commas)
]
Ports = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(_split_commas)
]
CertificateFile = Annotated[Path, AfterValidator(_certificates)]
KeysByName = Annotated[
    tuple[tuple[str, str], ...],
    NoDecode,
    BeforeValidator(_split_keys),
    AfterValidator(_check_keys),
]


class Settings(BaseSettings):
    """Every setting of Exposr, each read from the environment variable of its name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    api_host: str = Field("127.0.0.1", description="Address to bind. Beyond loopback, ADMIN_KEY.")
    api_port: int = Field(5000, ge=1, le=65535, description="Port to bind.")
    api_debug: bool = Field(False, description="Flask's development server with reloading.")
    web_workers: int = Field(1, ge=1, le=64, description="gunicorn worker processes.")
    web_threads: int = Field(8, ge=1, le=256, description="Threads in each worker.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )

    data_dir: Path = Field(
        Path("data"), description="Where pictures, models and the SQLite file live."
    )
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        "", description="Database; empty: SQLite in DATA_DIR."
    )
    starter_lesson: bool = Field(
        True, description="Make and train a small demonstration when nothing is there."
    )

    encoder: Encoder = Field(
        Encoder.AUTO,
        description="Embedder: clip, builtin, clip+builtin (both for authenticity, "
        "CLIP for the rest); auto: CLIP if its weights are at hand, else builtin.",
    )
    clip_model_name: str = Field(
        "ViT-B-32",
        min_length=1,
        description="open_clip model name, or a model configuration file NAME.json.",
    )
    clip_pretrained: str = Field(
        "openai",
        description="open_clip tag or checkpoint file; `random`: untrained.",
    )
    clip_device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")] = Field(
        "auto", description="Where CLIP runs; auto: a GPU when there is one."
    )
    clip_batch_size: int = Field(32, ge=1, le=4096, description="Pictures in one CLIP batch.")
    clip_fetch_seconds: float = Field(
        5.0, ge=0, le=3600, description="How long auto waits for CLIP weights to be fetched."
    )

    classifier_type: ClassifierType = Field(
        ClassifierType.AUTO, description="Families the grid search tries."
    )
    training_time_budget: float = Field(
        300.0, ge=1, le=86400, description="Seconds a grid search may take."
    )
    training_frequency: Literal["daily", "weekly"] = Field(
        "daily", description="How often the nightly retrain runs."
    )
    training_time: Annotated[str, AfterValidator(_utc_clock)] = Field(
        "03:00", description="When it runs, UTC."
    )
    scheduler: bool = Field(
        True, description="`python app.py` runs `scheduler.py` beside the service."
    )
    retrain_cpus: int = Field(
        0, ge=0, le=1024, description="Processor cores a retrain may use; 0: half of them."
    )
    job_stale_seconds: float = Field(
        20.0,
        ge=1,
        le=3600,
        description="Seconds without a sign of life after which a job is taken over.",
    )
    collect: Annotated[tuple[Collect, ...], NoDecode, BeforeValidator(_from_json)] = Field(
        (),
        max_length=50,
        description="Sources the nightly run collects from: JSON, such as "
        '[{"source":"commons-ai","count":50}].',
    )
    shortcuts: Shortcuts = Field(
        Shortcuts.WARN,
        description="When format, size or source tell the labels apart: warn, refuse to train, or "
        "equalise the training pictures.",
    )
    shortcut_bar: float = Field(
        0.75, gt=0.5, le=1, description="Balanced accuracy of such facts from which that holds."
    )
    augment: Augment = Field(
        Augment.AUTO,
        description="Train against re-deliveries (saved anew, made smaller, cut); auto: where "
        "answers then flip less at equal accuracy.",
    )
    min_images_per_class: int = Field(
        10, ge=5, le=1_000_000, description="Training refuses below this many pictures a label."
    )
    max_false_accusation: float = Field(
        0.01,
        ge=LEAST_SHARE,
        lt=0.5,
        description="Share of real pictures that may be called ai, with 95 % confidence.",
    )
    max_false_clearance: float | None = Field(
        None,
        ge=LEAST_SHARE,
        lt=0.5,
        description="Share of ai pictures that may be called real, with 95 % confidence; empty: "
        "as MAX_FALSE_ACCUSATION.",
    )
    promise_for: PromiseFor = Field(
        PromiseFor.UNSEEN,
        description="Whether those shares are kept on pictures of known sources alone, or on "
        "sources left out as well: known or unseen.",
    )

    max_image_bytes: int = Field(
        20_000_000, ge=1000, description="Largest picture file accepted, bytes."
    )
    max_image_pixels: int = Field(25_000_000, ge=1000, description="Most pixels, any format.")
    max_jpeg_pixels: int = Field(
        50_000_000, ge=1000, description="Most pixels of a JPEG, which can be decoded smaller."
    )
    max_image_side: int = Field(16_384, ge=16, le=65_535, description="Longest side, pixels.")
    max_batch_images: int = Field(
        64, ge=1, le=1024, description="Pictures accepted in one batch request."
    )
    max_batch_bytes: int = Field(200_000_000, ge=1000, description="Largest batch request, bytes.")
    max_lesson_bytes: int = Field(
        2_000_000_000, ge=1000, description="Largest lesson archive imported, bytes."
    )

    keep_pictures: bool = Field(
        True,
        description="Keep files that were only asked about, so that a correction by verdict id "
        "can teach from them.",
    )
    keep_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="Days that finished jobs, their nights, messages and refused finds of sources "
        "are remembered; 0: for ever.",
    )
    feedback_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="Corrections a minute from one untrusted person."
    )
    feedback_new_labels: int = Field(
        100, ge=0, le=1_000_000, description="New labels a task takes from one untrusted person."
    )

    trust_list: CertificateFile | None = Field(
        None,
        description="File of certificates (PEM) whose content credentials are trusted, such as "
        "the C2PA trust list; empty: nobody's are.",
    )

    evidence_decides: bool = Field(
        True,
        description="Content credentials of a trusted signer that say ai decide the verdict; no "
        "other evidence ever does.",
    )

    fetch_timeout: float = Field(
        15.0, gt=0, le=300, description="Seconds one URL may take, redirects included."
    )
    fetch_max_redirects: int = Field(3, ge=0, le=10, description="Redirects followed.")
    fetch_ports: Ports = Field((80, 443), description="Ports a URL may name.")
    fetch_allowed_networks: Networks = Field(
        (), description="Private networks URLs may reach all the same, such as 10.1.0.0/16."
    )
    user_agent: str = Field(
        f"Exposr/{VERSION}", min_length=1, description="User-Agent of outbound requests."
    )

    crawl_per_second: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="Requests a second to one host while collecting; empty: what suits each "
        "source; 0: no limit.",
    )
    crawl_connections: int = Field(
        4, ge=1, le=64, description="Requests at once to one host while collecting."
    )
    source_addresses: Annotated[dict[str, str], NoDecode, BeforeValidator(_from_json)] = Field(
        {},
        description="Where a source's API is reached, if not at its own address: "
        'JSON, such as {"openverse":"https://mirror.example"}.',
    )
    civitai_key: str = Field("", description="API key for civitai; most pictures need none.")
    unsplash_key: str = Field("", description="Access key for unsplash.")
    pexels_key: str = Field("", description="API key for pexels.")

    webhook_url: Annotated[str, AfterValidator(_webhook_url)] = Field(
        "", description="Where promotions and the verdicts they change are sent."
    )
    webhook_secret: str = Field("", description="Key that signs what is sent to WEBHOOK_URL.")

    cors_origins: Origins = Field((), description="Origins whose pages may call the API.")
    allowed_hosts: CommaList = Field(
        (), description="Host names requests may carry beside loopback's, as behind a proxy."
    )
    api_key: str = Field("", description="Key for reading, classifying and feedback.")
    admin_key: str = Field("", description="Key for changing models, tasks and settings.")
    feedback_keys: KeysByName = Field(
        (), description="Keys for reading, classifying and feedback, each of a person: NAME=KEY."
    )
    public_classify: bool = Field(
        False, description="Reading and classifying need no key although bound publicly."
    )

    @property
    def loopback(self) -> bool:
        """Whether the service is reachable from this machine alone."""
        if self.api_host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.api_host).is_loopback
        except ValueError:
            return False

    @property
    def resolved_database_url(self) -> str:
        """The database in use, `sqlite:///DATA_DIR/exposr.db` unless DATABASE_URL says other."""
        file = self.data_dir.absolute() / "exposr.db"
        return self.database_url or f"sqlite:///{quote(str(file))}"  # a path may hold ? and %

    @model_validator(mode="after")
    def _one_holder_a_key(self) -> Self:
        if any(secret in (self.api_key, self.admin_key) for _, secret in self.feedback_keys):
            raise ValueError("FEEDBACK_KEYS=(hidden): one of its keys is API_KEY or ADMIN_KEY too")
        return self

    @model_validator(mode="after")
    def _closed_in_public(self) -> Self:
        if self.admin_key:
            return self
        if not self.loopback:
            raise ValueError(
                f"API_HOST={self.api_host}: reachable from other machines, so ADMIN_KEY must be set"
            )
        if self.allowed_hosts:
            raise ValueError(
                f"ALLOWED_HOSTS={','.join(self.allowed_hosts)}: "
                "reachable through a proxy, so ADMIN_KEY must be set"
            )
        return self


RUNTIME_SETTINGS = (
    "augment",
    "classifier_type",
    "collect",
    "log_level",
    "max_false_accusation",
    "max_false_clearance",
    "min_images_per_class",
    "promise_for",
    "shortcuts",
    "training_frequency",
    "training_time",
    "training_time_budget",
)
"""Settings that `POST /config` may change while the service runs."""

SECRET_SETTINGS = frozenset(
    {
        "admin_key",
        "api_key",
        "civitai_key",
        "database_url",
        "feedback_keys",
        "pexels_key",
        "unsplash_key",
        "webhook_secret",
        "webhook_url",
    }
)


ADDRESS_SETTINGS = frozenset({"collect", "source_addresses"})
"""Settings with addresses inside, which may hold a token or a password."""
PLAIN_FIELDS = frozenset(Collect.model_fields) - {"url"}
"""What an error may say of a source to collect from."""


def load_settings(**values: Any) -> Settings:
    """Read and check the settings; keyword arguments win over the environment.

    Raises
    ------
    ConfigError
        Naming each bad key, its value unless it may be secret, and what is allowed.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error))) from None
    except (OSError, UnicodeError) as error:
        raise ConfigError(f".env cannot be read: {type(error).__name__}") from None


def with_overrides(settings: Settings, overrides: Mapping[str, object]) -> Settings:
    """Apply runtime changes to the settings, checked as at start.

    Neither the environment nor `.env` is read again.

    Raises
    ------
    Unacceptable
        Naming the first bad field, its value unless it may be secret, and what is allowed.
    """
    changes = {key: _checked(key, value) for key, value in overrides.items()}
    return settings.model_copy(update=changes) if changes else settings


def with_kept_overrides(settings: Settings, overrides: Mapping[str, object]) -> Settings:
    """As `with_overrides`, of changes made long ago: what no longer will do is left out.

    Whoever asks now did not make them, and what stays is what the service was started with.
    """
    try:
        return with_overrides(settings, overrides)
    except Unacceptable:
        usable = {key: value for key, value in overrides.items() if _usable(key, value)}
        return with_overrides(settings, usable)


def _usable(key: str, value: object) -> bool:
    try:
        _checked(key, value)
    except Unacceptable:  # its value is no business of the log's
        log.warning("%s was changed to what will not do any more, and is left out.", key.upper())
        return False
    return True


def _checked(key: str, value: object) -> object:
    if key not in _RUNTIME_CHECKS:
        shown = HIDDEN if key in SECRET_SETTINGS else value
        raise Unacceptable(key, shown, f"one of {', '.join(RUNTIME_SETTINGS)}")
    if key in ADDRESS_SETTINGS and isinstance(value, str):
        raise Unacceptable(key, HIDDEN, "a list; JSON in a text is for the environment")
    try:
        return _RUNTIME_CHECKS[key].validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        loc = (key, *first["loc"])
        field = ".".join(str(part) for part in loc)
        raise Unacceptable(field, _shown(loc, first["input"]), _allowed(first)) from None


def _check_of(key: str) -> TypeAdapter[Any]:
    field = Settings.model_fields[key]
    kind: Any = Annotated[field.annotation, *field.metadata, Field()]
    return TypeAdapter(kind)


_RUNTIME_CHECKS = {key: _check_of(key) for key in RUNTIME_SETTINGS}


def _allowed(error: Mapping[str, Any]) -> str:
    message = str(error["msg"])
    for opening in ("Value error, ", "Input should be "):
        message = message.removeprefix(opening)
    return message.removeprefix("allowed: ")


def _shown(loc: Sequence[object], value: object) -> object:
    """What an error may say of a value: nothing where it may be a secret, or hold one."""
    key, *inside = loc
    if key in SECRET_SETTINGS:
        return HIDDEN
    if key not in ADDRESS_SETTINGS:
        return value
    plain = key == "collect" and bool(inside) and inside[-1] in PLAIN_FIELDS
    return value if plain and "//" not in repr(value) else HIDDEN


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        loc = item["loc"]
        if not loc:  # what was read is the whole of the settings, keys too
            lines.append(_allowed(item))
            continue
        name = str(loc[0]).upper()
        if loc[0] in ADDRESS_SETTINGS:
            name += "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc[1:]
            )
        lines.append(f"{name}={_shown(loc, item['input'])}: allowed: {_allowed(item)}")
    return lines

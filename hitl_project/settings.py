"""Settings: one file for both set-ups, chosen by DATABASE_URL and REDIS_URL.

Without them: SQLite and memory in one process. With them: PostgreSQL and Redis, any number of processes.
`checks.py` beside this file explains a wrong or missing value in a sentence.
"""

import logging
from pathlib import Path

import django_stubs_ext
import environ
import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from hitl_project.environment import data_folder, generated_secret, keys_by_version, mail_server, one_key
from hitl_project.logs import SHARED, lines_of_json
from hitl_project.product import business_hours, groups_of_people, networks, tool_permissions

django_stubs_ext.monkeypatch()  # Django's generic classes can be written as such: ModelAdmin[Item]

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
SWITCH = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "on": True,
    "off": False,
    "1": True,
    "0": False,
}


def whole_number(name: str, default: int, least: int = 1) -> int:
    """Read a whole number of at least *least* from the environment."""
    text = env.str(name, str(default)).strip()
    if not text.isdigit() or int(text) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}, not {text!r}.")
    return int(text)


def yes_or_no(name: str, default: bool) -> bool:
    """Read a switch from the environment; a typing error must not switch anything."""
    text = env.str(name, str(default)).strip().lower()
    if text not in SWITCH:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(SWITCH)}, not {text!r}.")
    return SWITCH[text]


def one_of(name: str, choices: tuple[str, ...]) -> str:
    """Read one of *choices* from the environment; the first is the default."""
    text: str = env.str(name, choices[0]).strip().upper()
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


DATA_DIR = data_folder(env.str("HITL_DATA_DIR", ""), BASE_DIR / "var")
SECRET_KEY = env.str("HITL_SECRET_KEY", "") or generated_secret(DATA_DIR, "secret_key")
HITL_KEY_PEPPER = env.str("HITL_KEY_PEPPER", "") or generated_secret(DATA_DIR, "key_pepper")
HITL_DRAWN = [
    name
    for name in ("HITL_DEPLOYMENT_ID", "HITL_SECRETS_KEYS", "HITL_RECEIPT_KEYS", "HITL_PUSH_KEY")
    if not env.str(name, "")
]
HITL_DEPLOYMENT_ID = env.str("HITL_DEPLOYMENT_ID", "") or generated_secret(DATA_DIR, "deployment_id")
HITL_SECRETS_KEYS, HITL_RECEIPT_KEYS = (
    keys_by_version(DATA_DIR, name, env.str(name, "")) for name in ("HITL_SECRETS_KEYS", "HITL_RECEIPT_KEYS")
)
HITL_PUSH_KEY = one_key(DATA_DIR, "HITL_PUSH_KEY", env.str("HITL_PUSH_KEY", ""))

DEBUG = yes_or_no("HITL_DEBUG", False)
ALLOWED_HOSTS = env.list("HITL_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("HITL_TRUSTED_ORIGINS", default=[])
HTTPS = yes_or_no("HITL_HTTPS", False)

# --- The product -----------------------------------------------------------------------------------

HITL_ENABLED = yes_or_no("HITL_ENABLED", True)
HITL_DEFAULT_EXPIRATION_HOURS = whole_number("HITL_DEFAULT_EXPIRATION_HOURS", 24)
HITL_CLEANUP_DAYS = whole_number("HITL_CLEANUP_DAYS", 30)
HITL_RECORD_DAYS = whole_number("HITL_RECORD_DAYS", 0, least=0)
HITL_CALLS_PER_MINUTE = whole_number("HITL_CALLS_PER_MINUTE", 6_000)
HITL_SOCKETS_PER_CALLER = whole_number("HITL_SOCKETS_PER_CALLER", 100)  # in one process
HITL_OPEN_ITEMS_PER_AGENT = whole_number("HITL_OPEN_ITEMS_PER_AGENT", 1_000)
HITL_ATTACHMENT_MAX_MIB = whole_number("HITL_ATTACHMENT_MAX_MIB", 10)
HITL_ATTACHMENT_QUOTA_MIB = whole_number("HITL_ATTACHMENT_QUOTA_MIB", 1_024)
HITL_CLAIM_MINUTES = 10
HITL_SESSION_GRANT_HOURS = whole_number("HITL_SESSION_GRANT_HOURS", 8)
HITL_ARGUMENTS_GRANT_DAYS = whole_number("HITL_ARGUMENTS_GRANT_DAYS", 30)
HITL_TOOL_PERMISSIONS = tool_permissions(env.str("HITL_TOOL_PERMISSIONS", ""))
HITL_BUSINESS_HOURS = business_hours(
    env.str("HITL_BUSINESS_HOURS", "Mon-Fri 09:00-17:00"),
    env.str("HITL_BUSINESS_TIME_ZONE", "UTC"),
    env.list("HITL_HOLIDAYS", default=[]),
)
HITL_SECRETS_HOURS = whole_number("HITL_SECRETS_HOURS", 24)
HITL_RECEIPT_HOURS = whole_number("HITL_RECEIPT_HOURS", 72)
HITL_REVEAL_SECONDS = whole_number("HITL_REVEAL_SECONDS", 120)
HITL_PROBE_HOSTS = [host.strip().lower() for host in env.list("HITL_PROBE_HOSTS", default=[]) if host.strip()]
HITL_RUN_HOSTS = [host.strip().lower() for host in env.list("HITL_RUN_HOSTS", default=[]) if host.strip()]
HITL_RUN_CALL_SECONDS = whole_number("HITL_RUN_CALL_SECONDS", 60)
HITL_RUN_CALLS_PER_AGENT = whole_number("HITL_RUN_CALLS_PER_AGENT", 3)
HITL_REPLICATE_TOKEN = env.str("HITL_REPLICATE_TOKEN", "") or env.str("REPLICATE_API_TOKEN", "")
HITL_REPLICATE_URL = env.str("HITL_REPLICATE_URL", "") or "https://api.replicate.com"
HITL_OPENAI_KEY = env.str("HITL_OPENAI_KEY", "") or env.str("OPENAI_API_KEY", "")
HITL_OPENAI_URL = env.str("HITL_OPENAI_URL", "") or "https://api.openai.com/v1"
HITL_WEBHOOK_NETWORKS = networks("HITL_WEBHOOK_NETWORKS", env.list("HITL_WEBHOOK_NETWORKS", default=[]))
HITL_PUBLIC_URL = env.str("HITL_PUBLIC_URL", "").rstrip("/")
# The push services of Chrome, Firefox, Edge and Safari.
PUSH_HOSTS = [
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.notify.windows.com",
    "*.push.apple.com",
]
HITL_PUSH_HOSTS = [
    host.strip().lower() for host in env.list("HITL_PUSH_HOSTS", default=PUSH_HOSTS) if host.strip()
]
HITL_PUSH_CONTACT = (
    env.str("HITL_PUSH_CONTACT", "")
    or HITL_PUBLIC_URL
    or f"https://{next(iter(ALLOWED_HOSTS), 'localhost').strip('.')}"
)

# --- Who people are ---------------------------------------------------------------------------------

HITL_SECOND_FACTOR = one_of("HITL_SECOND_FACTOR", ("OPTIONAL", "REQUIRED"))
HITL_STEP_UP_MINUTES = whole_number("HITL_STEP_UP_MINUTES", 15, least=0)
HITL_SESSION_HOURS = whole_number("HITL_SESSION_HOURS", 12)
HITL_SESSION_IDLE_MINUTES = whole_number("HITL_SESSION_IDLE_MINUTES", 120, least=0)
HITL_OIDC_URL = env.str("HITL_OIDC_URL", "").strip().rstrip("/")
HITL_OIDC_CLIENT_ID = env.str("HITL_OIDC_CLIENT_ID", "").strip()
HITL_OIDC_CLIENT_SECRET = env.str("HITL_OIDC_CLIENT_SECRET", "").strip()
HITL_OIDC_NAME = env.str("HITL_OIDC_NAME", "") or "Single sign-on"
HITL_OIDC_GROUPS_CLAIM = env.str("HITL_OIDC_GROUPS_CLAIM", "groups").strip()
HITL_OIDC_GROUPS = groups_of_people(env.str("HITL_OIDC_GROUPS", ""))

# --- Mail --------------------------------------------------------------------------------------------

HITL_EMAIL_URL = env.str("HITL_EMAIL_URL", "")
if HITL_EMAIL_URL:
    vars().update(mail_server(HITL_EMAIL_URL))
EMAIL_TIMEOUT = 5
HITL_EMAIL_FROM = env.str("HITL_EMAIL_FROM", "") or "hitl@localhost"

# --- Channels ----------------------------------------------------------------------------------------

HITL_SLACK_TOKEN = env.str("HITL_SLACK_TOKEN", "").strip()
HITL_SLACK_SIGNING_SECRET = env.str("HITL_SLACK_SIGNING_SECRET", "").strip()
HITL_SLACK_URL = env.str("HITL_SLACK_URL", "") or "https://slack.com/api/"
# Those of Apprise whose hosts no address can choose.
APPRISE_SCHEMES = [
    *("discord", "gchat", "join", "line", "pagerduty", "pbul", "pover", "prowl", "signl4"),
    *("tgram", "threema", "webex", "wxteams"),
]
HITL_APPRISE_SCHEMES = [
    scheme.strip().lower().removesuffix("://")
    for scheme in env.list("HITL_APPRISE_SCHEMES", default=APPRISE_SCHEMES)
    if scheme.strip()
]

# --- Where things are kept -------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
EMBEDDED = not REDIS_URL

if DATABASE_URL:
    if not DATABASE_URL.startswith(("postgresql://", "postgres://", "sqlite://")):
        raise ImproperlyConfigured("DATABASE_URL must read postgresql://user:password@host/name.")
    DATABASES = {"default": env.db_url("DATABASE_URL")}
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "db.sqlite3"}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 0,  # the pool keeps the connections
        "CONN_HEALTH_CHECKS": True,  # and hands out none that died with a restart of the database
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": whole_number("HITL_POOL_SIZE", 8), "timeout": 10},
            "prepare_threshold": 5,  # lets events.statements prepare; the ORM's own cursors never do
        },
    }
else:
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
        "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
    }

if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ALWAYS_EAGER = EMBEDDED
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # nothing waits behind a provider that takes long
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True

# --- The parts -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "hitl_project.apps.ProjectConfig",
    "hitl_project.apps.HITLAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_structlog",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "events",
    "agents",
    "reviews",
    "interrupts",
    "requests_app",
    "runs",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "hitl_project.csrf.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "hitl_project.urls"
APPEND_SLASH = False
ASGI_APPLICATION = "hitl_project.asgi.application"
WSGI_APPLICATION = "hitl_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": DATA_DIR / "attachments",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}

# --- Safety ----------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
AUTHENTICATION_BACKENDS = ["agents.preferences.Accounts"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CSRF_FAILURE_VIEW = "hitl_project.csrf.expired"
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
SESSION_ENGINE = "hitl_project.sessions"
SESSION_COOKIE_AGE = HITL_SESSION_HOURS * 3600
# What signs people in has no pages of its own, and no limits beside those of logins.py.
ACCOUNT_ADAPTER = "hitl_project.identity.accounts.Accounts"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False
SOCIALACCOUNT_ADAPTER = "hitl_project.identity.sso.Visitors"
MFA_ADAPTER = "hitl_project.identity.factors.Factors"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_RECOVERY_CODE_DIGITS = 10
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
HITL_BEHIND_PROXY = yes_or_no("HITL_BEHIND_PROXY", False)
HITL_PROXIES = whole_number("HITL_PROXIES", 1)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HITL_BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# One KiB above the API's own limit, so that the API answers 413 itself.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- HTTP API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agents.authentication.KeyAuthentication",
        "agents.authentication.OperatorSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["agents.permissions.MayCall"],
    "DEFAULT_THROTTLE_CLASSES": ["agents.throttles.CallsPerMinute"],
    "DEFAULT_PARSER_CLASSES": ["events.http.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["events.http.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "events.http.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "events.autoschema.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": None,
    "EXCEPTION_HANDLER": "events.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "HITL server",
    "DESCRIPTION": "Agents ask, people decide.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": ["hitl_project.openapi.native"],
    "POSTPROCESSING_HOOKS": ["hitl_project.openapi.with_components"],
}

# --- Logs ------------------------------------------------------------------------------------------

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *SHARED,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO  # a caller's mistake is not ours
LOGGING = lines_of_json(one_of("HITL_LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")))

# mypy: ignore-errors
"""Django with django-anymail's webhook view (Postmark's, which is the nearest) and a receiver that stores the event."""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ANYMAIL={"WEBHOOK_SECRET": "bench:bench"},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DB"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["anymail"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="bench",
    USE_TZ=True,
)
django.setup()

from anymail.signals import tracking  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.dispatch import receiver  # noqa: E402
from django.urls import include, path  # noqa: E402

urlpatterns = [path("anymail/", include("anymail.urls"))]


class Event(models.Model):
    class Meta:
        app_label = "anymail"

    address = models.TextField()
    at = models.DateTimeField()
    kind = models.TextField()
    raw = models.JSONField()


@receiver(tracking, weak=False)
def store(sender, event, **_):
    Event.objects.create(address=event.recipient, at=event.timestamp, kind=event.event_type, raw=event.esp_event)


if not connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Event)
application = get_wsgi_application()

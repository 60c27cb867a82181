"""The WSGI application: pages and REST, for workers that have only threads."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
django_app = get_wsgi_application()

from agents import express  # noqa: E402 - the apps must be loaded first
from hitl_project.limits import wsgi  # noqa: E402
from interrupts import express as interrupts  # noqa: E402
from reviews import evaluation  # noqa: E402

application = wsgi(express.wsgi(django_app, (*interrupts.routes, *evaluation.routes)))
gc.freeze()  # what is loaded stays: the collector need not walk it again and again

"""The WSGI application: pages and REST, for workers that have only threads."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
django_app = get_wsgi_application()

from agents import express
from hitl_project.limits import wsgi
from interrupts import express as interrupts
from reviews import evaluation

application = wsgi(express.wsgi(django_app, (*interrupts.routes, *evaluation.routes)))
gc.freeze()  # what is loaded stays: the collector need not walk it again and again

"""The WSGI application: pages and REST, for workers that have only threads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
application = get_wsgi_application()

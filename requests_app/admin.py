"""The operator's pages of action requests."""

from requests_app import template_admin  # noqa: F401 - Django looks for pages here

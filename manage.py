#!/usr/bin/env python3
"""Run the server's administrative commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong_setting:
        sys.exit(f"The server cannot start: {wrong_setting}")

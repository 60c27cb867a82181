"""The admin site that operators work in."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class HITLAdminSite(AdminSite):
    """Say whose site it is."""

    site_header = _("Human in the loop")
    site_title = _("Human in the loop")
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = False

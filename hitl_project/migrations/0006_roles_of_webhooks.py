"""Give the roles what webhooks and their deliveries need."""

from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [("hitl_project", "0005_roles_of_runs"), ("events", "0005_webhooks")]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

"""Give the roles what runs and the models they call need."""

from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [("hitl_project", "0004_roles_of_policies"), ("runs", "0001_initial")]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

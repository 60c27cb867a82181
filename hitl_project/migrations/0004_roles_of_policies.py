"""Give the roles what policies, grants and delegations need."""

from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [("hitl_project", "0003_roles_of_probes"), ("reviews", "0005_policies")]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

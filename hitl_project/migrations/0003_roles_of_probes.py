from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [("hitl_project", "0002_roles_of_requests"), ("requests_app", "0002_probes")]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

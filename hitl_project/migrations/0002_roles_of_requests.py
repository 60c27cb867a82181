from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [("hitl_project", "0001_roles"), ("requests_app", "0001_initial")]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

from django.db import migrations

from hitl_project import roles


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0001_initial"),
        ("events", "0001_initial"),
        ("agents", "0001_initial"),
        ("reviews", "0001_initial"),
        ("interrupts", "0001_initial"),
    ]
    operations = [migrations.RunPython(roles.make, migrations.RunPython.noop)]

"""The ASGI application uvicorn serves: bytes are streamed by the objects' door, all else is Django's under body limits."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
_django = get_asgi_application()

from fubini.datasets.objects import ObjectsApp  # noqa: E402  the apps are loaded by the line above
from fubini.rest.limits import BodyLimit  # noqa: E402

application = ObjectsApp(BodyLimit(_django))  # type: ignore[arg-type]

"""Print the server's OpenAPI document, which the pages' types are generated from."""

import json
import sys

from showcase_app.backend.main import create_app
from showcase_app.backend.settings import Settings

json.dump(create_app(Settings(database_url="sqlite:///:memory:")).openapi(), sys.stdout, indent=1)

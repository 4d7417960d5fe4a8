"""A service's interface in several versions, from one set of handlers.

`Api` holds the handlers and what they take and give in the newest shape. Each `Version` but the oldest came with a
`Change`: a module that translates requests up and answers down. `create_app(..., api=...)` serves all of them
below /api/v1, /api/v2 and so on, each with its OpenAPI document and a page to read it.
"""

from platform_kit.api.api import Api as Api
from platform_kit.api.api import Clock as Clock
from platform_kit.api.api import utc_now as utc_now
from platform_kit.api.change import Body as Body
from platform_kit.api.change import Change as Change
from platform_kit.api.change import Translation as Translation
from platform_kit.api.mount import api_of as api_of
from platform_kit.api.version import Version as Version

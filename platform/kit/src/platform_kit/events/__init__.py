"""Events between services: written with the change that they tell of, delivered at least once, with one effect each.

The producer writes an event into its outbox in the transaction of the change (`write`), and a `Relay` in every instance
delivers what is due until the consumer answers 2xx. The consumer's `Inbox` notes each event's id in the transaction of
its effect, so what comes again changes nothing. Both tables are the service's own (`outbox_table`, `inbox_table`), made by
its revisions. `create_app` takes relays and inboxes as `events`. docs/concepts/events.md has the whole of it.
"""

from platform_kit.events.event import Event as Event
from platform_kit.events.event import read as read
from platform_kit.events.inbox import Effect as Effect
from platform_kit.events.inbox import Inbox as Inbox
from platform_kit.events.inbox import Receipt as Receipt
from platform_kit.events.outbox import write as write
from platform_kit.events.relay import Relay as Relay
from platform_kit.events.tables import inbox_table as inbox_table
from platform_kit.events.tables import outbox_table as outbox_table
